#include "stress_tests/peer_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/file.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;

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
  EXPECT_EQ(ReadFile(log_).value(), "abcacacc");
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
  EXPECT_EQ(ReadFile(log_).value(), "ababb");
}

TEST_F(PeerRunTest, AloneNobodyWaits) {
  EXPECT_EQ(RunPeer(Taker("a", 3), scratch_).value().at("name"), "a");
  EXPECT_EQ(ReadFile(log_).value(), "aaa");
}

}  // namespace
}  // namespace plimsoll
