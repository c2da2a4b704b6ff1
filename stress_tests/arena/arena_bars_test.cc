#include "stress_tests/arena/arena_bars.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

const ArenaMeasured kMeasured = {{"t"}, {"t"}, {"net"}};

// Each line at its limit, in the order of the lines.
PeerFigures AtLimits() {
  PeerFigures figures;
  const auto span = [](double value) { return PeerFigure::Span{value, value}; };
  figures["Calls:t"]["arena"] = {20, {}, {}};
  figures["Touched:t"]["arena"] = {1020, 0.0, {{"steady_rss", span(1.02)}, {"rss", span(1.02)}}};
  figures["Touched:t"]["glibc_tuned"] = {1000, 0.0, {}};
  figures["Touched:t"]["glibc"] = {500, 90.0, {}};
  figures["Threads1:t"]["arena"] = {10, {}, {}};
  for (const char* loop : {"Threads2:t", "Threads4:t", "Threads8:t"}) {
    figures[loop]["arena"] = {15, {}, {}};
  }
  figures["FiveShapes:t"]["arena"] = {5, {}, {{"missed_percent", {0, 1}}}};
  figures["AnyShape:t"]["arena"] = {5, {}, {{"rss", {1, 1.2}}}};
  figures["AnyShapeAnyThread:t"]["arena"] = {5, {}, {{"rss", {1, 1.2}}}};
  figures["AnyShapeAnyThread:t"]["glibc"] = {5, {}, {{"rss", {2.1, 9}}, {"early_rss", span(2)}}};
  figures["TorchStep:net"]["arena"] = {1020, 1.0, {{"loss_bits", span(77)}}};
  figures["TorchStep:net"]["arena_small_pages"] = {900, 1.0, {{"loss_bits", span(77)}}};
  figures["TorchStep:net"]["glibc"] = {1100, 100.0, {{"loss_bits", span(77)}}};
  figures["TorchStep:net"]["mimalloc"] = {1000, 100.0, {{"loss_bits", span(77)}}};
  return figures;
}

std::string Missed(const PeerFigures& figures) {
  std::string missed;
  const auto lines = HoldArenaLines(figures, kMeasured);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].holds) missed += (missed.empty() ? "" : " ") + std::to_string(i);
  }
  return missed;
}

TEST(ArenaBarsTest, AllHoldAtTheirLimits) { EXPECT_EQ(Missed(AtLimits()), ""); }

TEST(ArenaBarsTest, EachIsMissedBeyondItsOwnLimit) {
  const std::vector<std::function<void(PeerFigures&)>> beyond = {
      [](PeerFigures& f) { f["Calls:t"]["arena"].nanoseconds = 20.1; },
      [](PeerFigures& f) { f["Touched:t"]["arena"].faults_per_cycle = 0.1; },
      [](PeerFigures& f) { f["Touched:t"]["arena"].counters["steady_rss"].greatest = 1.03; },
      [](PeerFigures& f) { f["Touched:t"]["arena"].counters["rss"].greatest = 1.03; },
      [](PeerFigures& f) { f["Touched:t"]["arena"].nanoseconds = 1021; },
      [](PeerFigures& f) { f["Threads2:t"]["arena"].nanoseconds = 15.1; },
      [](PeerFigures& f) { f["Threads4:t"]["arena"].nanoseconds = 15.1; },
      [](PeerFigures& f) { f["Threads8:t"]["arena"].nanoseconds = 15.1; },
      [](PeerFigures& f) { f["FiveShapes:t"]["arena"].counters["missed_percent"].greatest = 1.1; },
      [](PeerFigures& f) { f["AnyShape:t"]["arena"].counters["rss"].greatest = 1.21; },
      [](PeerFigures& f) { f["AnyShapeAnyThread:t"]["arena"].counters["rss"].greatest = 1.21; },
      [](PeerFigures& f) { f["AnyShapeAnyThread:t"]["glibc"].counters["rss"].least = 2.09; },
      [](PeerFigures& f) { f["TorchStep:net"]["arena"].faults_per_cycle = 1.1; },
      [](PeerFigures& f) { f["TorchStep:net"]["arena"].nanoseconds = 1021; },
      [](PeerFigures& f) { f["TorchStep:net"]["mimalloc"].counters["loss_bits"].greatest = 78; }};
  ASSERT_EQ(HoldArenaLines(AtLimits(), kMeasured).size(), beyond.size());
  for (size_t i = 0; i < beyond.size(); ++i) {
    PeerFigures figures = AtLimits();
    beyond[i](figures);
    EXPECT_EQ(Missed(figures), std::to_string(i));
  }
}

TEST(ArenaBarsTest, WhatWasNotMeasuredDoesNotHold) {
  for (const PeerLine& line : HoldArenaLines({}, kMeasured)) {
    EXPECT_FALSE(line.holds || line.value.has_value()) << line.text;
  }
  // An arena alone has nothing to be compared with.
  PeerFigures figures = AtLimits();
  figures["Touched:t"].erase("glibc_tuned");
  figures["TorchStep:net"].erase("glibc");
  figures["TorchStep:net"].erase("mimalloc");
  EXPECT_EQ(Missed(figures), "4 12 13 14");
}

}  // namespace
}  // namespace plimsoll
