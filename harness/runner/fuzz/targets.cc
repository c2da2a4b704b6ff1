#include "harness/runner/fuzz/targets.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "harness/runner/conductor.h"
#include "harness/runner/decoder.h"
#include "harness/runner/mark_lines.h"

namespace plimsoll {

void FuzzAgentStream(const uint8_t* data, size_t size) {
  if (size == 0) return;
  const size_t piece = size_t{1} + data[0];
  Decoder decoder;
  Rule rule;
  rule.max_iterations = 256;
  Conductor conductor(rule, /*capture_stacks=*/true);
  bool failed = false;
  for (size_t at = 1; at < size; at += piece) {
    std::vector<AgentEvent> events;
    const Status fed = decoder.Feed(data + at, std::min(piece, size - at), events);
    PLIMSOLL_CHECK(!failed || !fed.has_value(), "a broken stream was taken up again");
    failed = !fed.has_value();
    if (failed) continue;
    for (AgentEvent& event : events) conductor.Take(std::move(event));
  }
  CaseResult result;
  conductor.Report(result);
}

void FuzzMarkLines(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Expected<MarkLines> whole = MarkLines::Make("^step [0-9]+|done$");
  Expected<MarkLines> pieces = MarkLines::Make("^step [0-9]+|done$");
  const uint32_t marks = whole->Take(text);
  uint32_t sum = 0;
  for (size_t at = 0; at < size; at += 3) sum += pieces->Take(text.substr(at, 3));
  PLIMSOLL_CHECK(marks == sum, "marks depend on how the text was cut");
}

}  // namespace plimsoll
