#ifndef HARNESS_REPORT_JUNIT_H_
#define HARNESS_REPORT_JUNIT_H_

// Results as JUnit XML, which CI servers show: a test suite per scenario, a test case per
// case. Thread-safe: no state.

#include <string>
#include <vector>

#include "base/error.h"
#include "harness/gate/fingerprint.h"
#include "harness/result.h"

namespace plimsoll {

// LEAK, OVER, GROWING and INCONCLUSIVE are failures of that type: what is undecided does
// not pass. ERROR is an error. CLEAN cases carry the smallest leak they exclude as
// properties.
std::string RenderJunit(const Context& context, const std::vector<CaseResult>& cases);

// Replaces the file, or writes to standard output when `path` is "-".
Status WriteJunit(const std::string& path, const Context& context,
                  const std::vector<CaseResult>& cases);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_JUNIT_H_
