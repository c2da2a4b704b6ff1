#ifndef HARNESS_VERDICT_SUPPRESSION_H_
#define HARNESS_VERDICT_SUPPRESSION_H_

// Known leaks that are not judged. Thread-safe: pure functions.

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "harness/sample.h"

namespace plimsoll {

struct Suppression {
  std::string name;
  std::string reason;                // why it is left alone
  std::optional<ResourceKind> kind;  // absent: any
  std::vector<std::regex> frames;    // each is found in some frame of the stack
};

// Whether a site of that kind and call stack is meant. A site without a stack never is.
bool Matches(const Suppression& suppression, ResourceKind kind,
             const std::vector<std::string>& stack);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SUPPRESSION_H_
