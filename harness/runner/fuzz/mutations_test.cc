// The fuzzers' targets on a recorded conversation and on thousands of random changes to it:
// what every build checks; libFuzzer goes further.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "harness/runner/conductor.h"
#include "harness/runner/decoder.h"
#include "harness/runner/fuzz/conversation.h"
#include "harness/runner/fuzz/targets.h"
#include "harness/runner/wire.h"
#include "harness/verdict/rule.h"

namespace plimsoll {
namespace {

void Feed(const std::string& text) {
  FuzzAgentStream(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(AgentStream, TheConversationIsUnderstood) {
  const std::string bytes = Conversation();
  Decoder decoder;
  std::vector<AgentEvent> events;
  ASSERT_TRUE(decoder.Feed(bytes.data(), bytes.size(), events).has_value());
  Rule rule;
  rule.max_iterations = 256;
  Conductor conductor(rule, true);
  for (AgentEvent& event : events) conductor.Take(std::move(event));
  CaseResult result;
  conductor.Report(result);
  EXPECT_NE(result.verdict, Verdict::kClean) << result.reason;
}

TEST(AgentStream, AnyChangeIsSurvived) {
  const std::string good = Conversation();
  std::mt19937_64 random(1);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
  for (int trial = 0; trial < 1500; ++trial) {
    std::string text = static_cast<char>(random()) + good;
    for (size_t changes = 1 + below(4); changes > 0; --changes) {
      const size_t at = 1 + below(text.size() - 1);
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.resize(at);
          break;
        case 2:
          text.erase(at, 1 + below(64));
          break;
        default:
          text.insert(at, text.substr(below(text.size()), below(256)));
          break;
      }
      if (text.size() < 2) break;
    }
    Feed(text);
  }
}

TEST(AgentStream, ASnapshotThatWasNotAskedForIsRefused) {
  Rule rule;
  Conductor conductor(rule, true);
  conductor.Take(wire::Hello{wire::kVersion, 1, 1});
  Snapshot early;
  early.iteration = 3;
  conductor.Take(early);
  EXPECT_TRUE(conductor.finished());
  CaseResult result;
  conductor.Report(result);
  EXPECT_EQ(result.verdict, Verdict::kError);
  EXPECT_EQ(result.reason, "the agent sent a snapshot of iteration 3, which was not asked for");
}

TEST(MarkLines, AnyTextInAnyPieces) {
  std::mt19937_64 random(1);
  const std::string alphabet = "step 0123\ndone\r\0x";
  for (int trial = 0; trial < 2000; ++trial) {
    std::string text;
    for (size_t i = random() % 200; i > 0; --i) text += alphabet[random() % alphabet.size()];
    FuzzMarkLines(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  }
}

}  // namespace
}  // namespace plimsoll
