#ifndef TOOLS_EXIT_STATUS_H_
#define TOOLS_EXIT_STATUS_H_

// What plimsoll's exit status says. Thread-safe: pure functions.

#include <span>

#include "harness/result.h"

namespace plimsoll {

enum ExitCode : int {
  kExitHolds = 0,       // every case holds (skipped ones aside)
  kExitLeaks = 1,       // a case leaks or is over its line
  kExitBadRequest = 2,  // the request is wrong
  kExitUndecided = 3,   // GROWING or INCONCLUSIVE
  kExitFailed = 4,      // a case crashed, hung or was killed
};

// The status of a run: a proven leak outranks a failed case, which outranks an
// undecided one. A run that judged nothing (no case, or all skipped) is undecided.
int ExitStatusOf(std::span<const CaseResult> cases);

}  // namespace plimsoll

#endif  // TOOLS_EXIT_STATUS_H_
