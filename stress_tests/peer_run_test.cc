#include "stress_tests/peer_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr const char* kTurnTaker = "stress_tests/turn_taker";

class PeerRunTest : public testing::Test {
 protected:
  void SetUp() override { std::remove(log_.c_str()); }

  PeerRun Taker(const std::string& name, int turns, const std::string& more = "") const {
    PeerRun run = {name, {kTurnTaker, name, log_, std::to_string(turns)}, "", {}};
    if (!more.empty()) run.command.push_back(more);
    return run;
  }

  const std::string scratch_ = testing::TempDir() + "/turns";
  const std::string log_ = testing::TempDir() + "/turns.log";
};

TEST_F(PeerRunTest, OneStepAtATimeInTurn) {
  const auto results = RunPeersInTurns({Taker("a", 3), Taker("b", 1), Taker("c", 4)}, scratch_);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].value().at("name"), "a");
  EXPECT_EQ(results[1].value().at("name"), "b");
  EXPECT_EQ(results[2].value().at("name"), "c");
  // "a", "b" and "c" as they start; then rounds of those who are still there, in any order.
  const std::string log = ReadFile(log_).value();
  ASSERT_EQ(log.size(), 8u);
  EXPECT_THAT(log.substr(0, 3), UnorderedElementsAre('a', 'b', 'c'));
  EXPECT_THAT(log.substr(3, 2), UnorderedElementsAre('a', 'c'));
  EXPECT_THAT(log.substr(5, 2), UnorderedElementsAre('a', 'c'));
  EXPECT_EQ(log.substr(7), "c");
}

TEST_F(PeerRunTest, NoneAlwaysFollowsTheSame) {
  constexpr int kTurns = 8;
  RunPeersInTurns({Taker("a", kTurns), Taker("b", kTurns), Taker("c", kTurns)}, scratch_);
  const std::string log = ReadFile(log_).value();
  ASSERT_EQ(log.size(), size_t{3 * kTurns});
  std::set<std::string> rounds;
  for (size_t i = 0; i < log.size(); i += 3) rounds.insert(log.substr(i, 3));
  EXPECT_GE(rounds.size(), 3u);
}

TEST_F(PeerRunTest, WhatFailsEndsNothingButItself) {
  const auto results = RunPeersInTurns(
      {Taker("a", 2, "--crash"), {"no such", {"stress_tests/missing"}, "", {}}, Taker("b", 3)},
      scratch_);
  ASSERT_FALSE(results[0].has_value());
  EXPECT_THAT(results[0].error().message, HasSubstr("under a: killed by SIGABRT"));
  ASSERT_FALSE(results[1].has_value());
  EXPECT_THAT(results[1].error().message, HasSubstr("stress_tests/missing"));
  EXPECT_EQ(results[2].value().at("name"), "b");
  const std::string log = ReadFile(log_).value();
  EXPECT_THAT(log.substr(0, 4), UnorderedElementsAre('a', 'a', 'b', 'b'));
  EXPECT_EQ(log.substr(4), "b");
}

TEST_F(PeerRunTest, AloneNobodyWaits) {
  EXPECT_EQ(RunPeer(Taker("a", 3), scratch_).value().at("name"), "a");
  EXPECT_EQ(ReadFile(log_).value(), "aaa");
}

}  // namespace
}  // namespace plimsoll
