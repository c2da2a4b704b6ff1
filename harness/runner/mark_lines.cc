#include "harness/runner/mark_lines.h"

namespace plimsoll {
namespace {

// std::regex recurses for each character: a longer line could exhaust the stack.
constexpr size_t kLongestLine = 4096;

}  // namespace

Expected<MarkLines> MarkLines::Make(const std::string& pattern) {
  try {
    return MarkLines(std::regex(pattern, std::regex::ECMAScript | std::regex::optimize));
  } catch (const std::regex_error& error) {
    return BadValue("", "--mark", pattern,
                    std::string("expected a regular expression: ") + error.what());
  }
}

uint32_t MarkLines::Take(std::string_view text) {
  uint32_t marks = 0;
  for (const char c : text) {
    if (c != '\n') {
      if (line_.size() < kLongestLine) line_ += c;
      continue;
    }
    if (std::regex_search(line_, pattern_)) ++marks;
    line_.clear();
  }
  return marks;
}

}  // namespace plimsoll
