#include "harness/runner/output_tail.h"

#include <utility>

namespace plimsoll {
namespace {

constexpr size_t kLastLines = 20;
constexpr size_t kLongestLine = 400;

}  // namespace

void OutputTail::Append(std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      EndLine();
    } else if (current_.size() < kLongestLine) {
      current_ += c;
    }
  }
}

std::vector<std::string> OutputTail::Lines() {
  if (!current_.empty()) EndLine();
  return {lines_.begin(), lines_.end()};
}

void OutputTail::EndLine() {
  lines_.push_back(std::move(current_));
  current_.clear();
  if (lines_.size() > kLastLines) lines_.pop_front();
}

}  // namespace plimsoll
