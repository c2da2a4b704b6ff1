#include "tools/exit_status.h"

namespace plimsoll {

int ExitStatusOf(std::span<const CaseResult> cases) {
  bool leaks = false;
  bool failed = false;
  bool undecided = false;
  bool judged = false;
  for (const CaseResult& result : cases) {
    if (result.skipped) continue;
    judged = true;
    switch (result.verdict) {
      case Verdict::kClean:
        break;
      case Verdict::kLeak:
      case Verdict::kOver:
        leaks = true;
        break;
      case Verdict::kGrowing:
      case Verdict::kInconclusive:
        undecided = true;
        break;
      case Verdict::kError:
        failed = true;
        break;
    }
  }
  if (leaks) return kExitLeaks;
  if (failed) return kExitFailed;
  if (undecided || !judged) return kExitUndecided;
  return kExitHolds;
}

}  // namespace plimsoll
