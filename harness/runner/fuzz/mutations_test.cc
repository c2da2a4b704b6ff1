// The fuzzers' targets on a recorded conversation and on thousands of random changes to it:
// what every build checks; libFuzzer goes further.

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "harness/runner/conductor.h"
#include "harness/runner/decoder.h"
#include "harness/runner/fuzz/targets.h"
#include "harness/runner/wire.h"
#include "harness/verdict/rule.h"

namespace plimsoll {
namespace {

using wire::MessageType;

class Stream {
 public:
  template <typename T>
  void Put(MessageType type, const T& payload, const std::string& more = "") {
    const wire::MessageHeader header = {static_cast<uint32_t>(type),
                                        static_cast<uint32_t>(sizeof(payload) + more.size())};
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header));
    bytes_.append(reinterpret_cast<const char*>(&payload), sizeof(payload));
    bytes_ += more;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// An agent whose program leaks a block in each iteration: as far as the first decision, the
// second phase, and the frames that are asked for.
std::string Conversation() {
  Rule rule;
  rule.max_iterations = 256;
  Stream stream;
  stream.Put(MessageType::kHello, wire::Hello{wire::kVersion, 1, 1});
  std::vector<uint32_t> looks = Looks(rule);
  looks.push_back(looks.back() + 64);
  uint32_t iteration = 0;
  for (const uint32_t look : looks) {
    for (; iteration < look;) {
      Sample sample;
      sample.iteration = ++iteration;
      sample.process.rss_anon_bytes = 1 << 20;
      sample.ledger.emplace();
      stream.Put(MessageType::kSample, wire::Encode(sample));
    }
    stream.Put(MessageType::kSnapshotBegin, wire::SnapshotBegin{look});
    stream.Put(MessageType::kSite, wire::SiteMessage{0, 5, look, 64 * look, look, 64 * look});
    for (uint32_t epoch = 1; epoch <= look; ++epoch) {
      stream.Put(MessageType::kEpoch, wire::EpochMessage{epoch, 0, 1, 64});
    }
    stream.Put(MessageType::kSnapshotEnd, wire::SnapshotEnd{1});
  }
  stream.Put(MessageType::kFrames, wire::FramesMessage{5, 1}, std::string(8, '\x10'));
  stream.Put(MessageType::kModule, wire::ModuleMessage{1, 9, 0, 4, 0}, "/lib");
  stream.Put(MessageType::kArena, wire::ArenaMessage{4096, 64});
  stream.Put(MessageType::kRetention, wire::RetentionMessage{2, 1, 3, 0, 0});
  return stream.bytes();
}

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
