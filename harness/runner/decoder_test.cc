#include "harness/runner/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace plimsoll {
namespace {

using wire::MessageType;

template <typename T>
std::string Message(MessageType type, const T& payload, const std::string& more = "") {
  const wire::MessageHeader header = {static_cast<uint32_t>(type),
                                      static_cast<uint32_t>(sizeof(payload) + more.size())};
  std::string bytes(sizeof(header) + sizeof(payload), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), &payload, sizeof(payload));
  return bytes + more;
}

std::string SnapshotBytes() {
  return Message(MessageType::kSnapshotBegin, wire::SnapshotBegin{136}) +
         Message(MessageType::kSite, wire::SiteMessage{0, 7, 3, 192, 2, 128}) +
         Message(MessageType::kEpoch, wire::EpochMessage{0, 0, 1, 64}) +
         Message(MessageType::kEpoch, wire::EpochMessage{9, 0, 2, 128}) +
         Message(MessageType::kSite, wire::SiteMessage{2, 8, 1, 0, 1, 0}) +
         Message(MessageType::kSnapshotEnd, wire::SnapshotEnd{1});
}

std::vector<AgentEvent> DecodeAll(const std::string& bytes, size_t piece) {
  Decoder decoder;
  std::vector<AgentEvent> events;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    const size_t size = std::min(piece, bytes.size() - i);
    const Status fed = decoder.Feed(bytes.data() + i, size, events);
    EXPECT_TRUE(fed.has_value()) << fed.error().message;
  }
  return events;
}

std::string ErrorOf(const std::string& bytes) {
  Decoder decoder;
  std::vector<AgentEvent> events;
  const Status fed = decoder.Feed(bytes.data(), bytes.size(), events);
  return fed.has_value() ? "" : fed.error().message;
}

TEST(Decoder, SampleKeepsPresentAndAbsentApart) {
  Sample sample;
  sample.iteration = 12;
  sample.nanoseconds = 34;
  sample.process.rss_bytes = 0;  // measured, and zero
  sample.process.malloc_mapped_bytes = 56;
  sample.process.hwm_is_per_iteration = true;
  sample.ledger.emplace();
  sample.ledger->held[6] = {78, 9};
  sample.ledger->untracked_blocks = 10;
  sample.ledger->harness_bytes = 11;
  const std::vector<AgentEvent> events =
      DecodeAll(Message(MessageType::kSample, wire::Encode(sample)), 1000);
  ASSERT_EQ(events.size(), 1u);
  const Sample& decoded = std::get<Sample>(events[0]);
  EXPECT_EQ(decoded.iteration, 12u);
  EXPECT_EQ(decoded.process.rss_bytes, 0u);
  EXPECT_EQ(decoded.process.rss_anon_bytes, std::nullopt);
  EXPECT_EQ(decoded.process.malloc_mapped_bytes, 56u);
  EXPECT_TRUE(decoded.process.hwm_is_per_iteration);
  ASSERT_TRUE(decoded.ledger.has_value());
  EXPECT_EQ(decoded.ledger->held[6].bytes, 78u);
  EXPECT_EQ(decoded.ledger->held[6].blocks, 9u);
  EXPECT_EQ(decoded.ledger->untracked_blocks, 10u);
  EXPECT_EQ(decoded.ledger->harness_bytes, 11u);
}

TEST(Decoder, AssemblesSnapshotsHoweverTheStreamIsCut) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{64}, size_t{100000}}) {
    const std::vector<AgentEvent> events = DecodeAll(SnapshotBytes(), piece);
    ASSERT_EQ(events.size(), 1u);
    const Snapshot& snapshot = std::get<Snapshot>(events[0]);
    EXPECT_EQ(snapshot.iteration, 136u);
    EXPECT_TRUE(snapshot.complete);
    ASSERT_EQ(snapshot.sites.size(), 2u);
    EXPECT_EQ(snapshot.sites[0].floor_bytes, 128u);
    ASSERT_EQ(snapshot.sites[0].epochs.size(), 2u);
    EXPECT_EQ(snapshot.sites[0].epochs[1].epoch, 9u);
    EXPECT_EQ(snapshot.sites[1].kind, ResourceKind::kDescriptor);
  }
}

TEST(Decoder, RefusesWhatNoAgentSends) {
  using testing::HasSubstr;
  EXPECT_THAT(ErrorOf(Message(MessageType::kHello, wire::Hello{99, 1, 1})),
              HasSubstr("another version"));
  EXPECT_THAT(ErrorOf(Message(MessageType::kSample, uint32_t{0})), HasSubstr("too short"));
  EXPECT_THAT(ErrorOf(Message(MessageType::kSnapshotEnd, wire::SnapshotEnd{1})),
              HasSubstr("outside a snapshot"));
  EXPECT_THAT(ErrorOf(Message(MessageType::kEpoch, wire::EpochMessage{})),
              HasSubstr("without a site"));
  EXPECT_THAT(ErrorOf(Message(static_cast<MessageType>(77), 1)), HasSubstr("unknown type"));
  EXPECT_THAT(ErrorOf(Message(MessageType::kFrames, wire::FramesMessage{1, 9}, "12345678")),
              HasSubstr("fewer addresses"));
  EXPECT_THAT(ErrorOf(Message(MessageType::kModule, wire::ModuleMessage{1, 2, 3, 9, 0}, "short")),
              HasSubstr("a path shorter"));
  const wire::MessageHeader huge = {static_cast<uint32_t>(MessageType::kModule), 1u << 30};
  EXPECT_THAT(ErrorOf(std::string(reinterpret_cast<const char*>(&huge), sizeof(huge))),
              HasSubstr("longer than a message"));
  const std::string in_snapshot = Message(MessageType::kSnapshotBegin, wire::SnapshotBegin{1});
  EXPECT_THAT(
      ErrorOf(in_snapshot + Message(MessageType::kSite, wire::SiteMessage{99, 0, 0, 0, 0, 0})),
      HasSubstr("unknown kind"));
  const std::string site = Message(MessageType::kSite, wire::SiteMessage{});
  const std::string epoch = Message(MessageType::kEpoch, wire::EpochMessage{5, 0, 1, 1});
  EXPECT_THAT(ErrorOf(in_snapshot + site + epoch + epoch), HasSubstr("out of order"));
}

// libFuzzer's find: memcpy from the null of an empty vector, which ubsan refuses.
TEST(Decoder, TakesFramesOfNoAddresses) {
  EXPECT_EQ(ErrorOf(Message(MessageType::kFrames, wire::FramesMessage{1, 0})), "");
}

TEST(Decoder, StaysBrokenAfterAnError) {
  Decoder decoder;
  std::vector<AgentEvent> events;
  const std::string good = SnapshotBytes();
  const std::string bad = good + Message(static_cast<MessageType>(77), 1);
  EXPECT_FALSE(decoder.Feed(bad.data(), bad.size(), events).has_value());
  EXPECT_EQ(events.size(), 1u) << "what came before the damage counts";
  EXPECT_FALSE(decoder.Feed(good.data(), good.size(), events).has_value());
  EXPECT_EQ(events.size(), 1u) << "once, and nothing after it";
}

// Every byte of a real stream damaged in turn: events or an error, never a crash.
TEST(Decoder, SurvivesDamage) {
  const std::string good = Message(MessageType::kHello, wire::Hello{wire::kVersion, 1, 1}) +
                           SnapshotBytes() +
                           Message(MessageType::kFrames, wire::FramesMessage{1, 1}, "12345678");
  std::mt19937 random(1);
  size_t refused = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    for (int round = 0; round < 8; ++round) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(random());
      bytes.resize(bytes.size() - random() % 16);
      refused += ErrorOf(bytes).empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace plimsoll
