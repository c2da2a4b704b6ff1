#ifndef HARNESS_REPORT_EXAMPLES_H_
#define HARNESS_REPORT_EXAMPLES_H_

// Cases of every verdict, built by hand, that the tests of all reports print. Thread-safe:
// pure functions.

#include <vector>

#include "harness/gate/fingerprint.h"
#include "harness/result.h"

namespace plimsoll {

Context ExampleContext();

// In order: CLEAN, LEAK, GROWING, OVER, ERROR, INCONCLUSIVE, skipped.
std::vector<CaseResult> ExampleCases();

}  // namespace plimsoll

#endif  // HARNESS_REPORT_EXAMPLES_H_
