#ifndef HARNESS_RUNNER_MARK_LINES_H_
#define HARNESS_RUNNER_MARK_LINES_H_

// Iteration marks in a program's output: lines that match a regular expression.
// Thread-compatible.

#include <cstdint>
#include <regex>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

class MarkLines {
 public:
  // `pattern` is an ECMAScript regular expression, found anywhere in a line.
  static Expected<MarkLines> Make(const std::string& pattern);

  // Takes the next piece of output and returns how many lines it ended that are marks. Of
  // a line, the first 4,096 bytes are looked at.
  uint32_t Take(std::string_view text);

 private:
  explicit MarkLines(std::regex pattern) : pattern_(std::move(pattern)) {}

  std::regex pattern_;
  std::string line_;
};

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_MARK_LINES_H_
