#include "harness/result.h"

namespace plimsoll {

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kClean:
      return "CLEAN";
    case Verdict::kLeak:
      return "LEAK";
    case Verdict::kGrowing:
      return "GROWING";
    case Verdict::kOver:
      return "OVER";
    case Verdict::kInconclusive:
      return "INCONCLUSIVE";
    case Verdict::kError:
      return "ERROR";
  }
  return "unknown";
}

}  // namespace plimsoll
