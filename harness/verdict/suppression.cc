#include "harness/verdict/suppression.h"

#include <algorithm>

namespace plimsoll {

bool Matches(const Suppression& suppression, ResourceKind kind,
             const std::vector<std::string>& stack) {
  if (suppression.kind.has_value() && *suppression.kind != kind) return false;
  if (suppression.frames.empty()) return false;
  return std::all_of(
      suppression.frames.begin(), suppression.frames.end(), [&](const std::regex& pattern) {
        return std::any_of(stack.begin(), stack.end(), [&](const std::string& frame) {
          return std::regex_search(frame, pattern);
        });
      });
}

}  // namespace plimsoll
