#ifndef HARNESS_RUNNER_LOST_BLOCKS_H_
#define HARNESS_RUNNER_LOST_BLOCKS_H_

// Blocks that nothing points to any more, found by LeakSanitizer or Valgrind, as part of a
// case's verdict. Thread-safe: a pure function.

#include <cstdint>
#include <vector>

#include "harness/ledger/direct_leak_report.h"
#include "harness/result.h"

namespace plimsoll {

// A block lost in an iteration after warm-up, of `iterations` that ended in all, is a leak by
// itself: the verdict becomes LEAK, and each call stack a site. A site that is there already,
// by its innermost frame, is only marked as lost.
void MergeDirectLeaks(const std::vector<ledger::DirectLeak>& leaks, uint32_t iterations,
                      CaseResult& result);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_LOST_BLOCKS_H_
