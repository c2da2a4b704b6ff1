#include "harness/verdict/floors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace plimsoll {
namespace {

using Level = std::function<double(uint32_t iteration)>;

// A site whose bytes at each iteration's end are `level`, in `blocks` blocks.
struct History {
  History(const Rule& rule, uint32_t until, const Level& level, const Level& blocks) {
    const std::vector<uint32_t> floors = FloorPoints(rule);
    uint32_t start = 0;
    for (const uint32_t look : Looks(rule)) {
      if (look > until) break;
      SiteSurvivors site;
      site.live_bytes = static_cast<uint64_t>(level(look));
      site.live_blocks = static_cast<uint64_t>(blocks(look));
      site.floor_bytes = site.live_bytes;
      site.floor_blocks = site.live_blocks;
      for (const uint32_t point : floors) {
        if (point > start && point <= look) {
          site.floor_bytes = std::min(site.floor_bytes, static_cast<uint64_t>(level(point)));
          site.floor_blocks = std::min(site.floor_blocks, static_cast<uint64_t>(blocks(point)));
        }
      }
      snapshots.push_back({.iteration = look, .sites = {site}, .complete = true});
      start = look;
    }
    history = Histories(snapshots).front();
    windows = DoublingWindows(rule, snapshots, history);
  }
  std::vector<Snapshot> snapshots;
  SiteHistory history;
  std::vector<FloorWindow> windows;
};

History Make(
    uint32_t until, const Level& level, const Level& blocks = [](uint32_t) { return 1.0; }) {
  return History(Rule(), until, level, blocks);
}

double Doubling(uint32_t iteration) { return 8 * std::exp2(std::ceil(std::log2(iteration))); }

TEST(DoublingWindows, DoubleAndEndNow) {
  const History run = Make(1032, [](uint32_t i) { return 10.0 * i; });
  ASSERT_EQ(run.windows.size(), 5u);
  EXPECT_EQ(run.windows[4].live, 10320);
  EXPECT_EQ(run.windows[4].before, 5200);
  EXPECT_GE(run.windows[4].floor, 5200);
  EXPECT_LE(run.windows[4].floor, 6100);
  EXPECT_EQ(run.windows[3].live, 5200);
  EXPECT_EQ(run.windows[3].before, 2640);
}

TEST(DoublingWindows, SkipALookThatIsTooClose) {
  Rule rule;
  rule.max_iterations = 1100;
  const History run(
      rule, 1108, [](uint32_t i) { return 10.0 * i; }, [](uint32_t) { return 1.0; });
  ASSERT_EQ(run.windows.size(), 5u);
  EXPECT_EQ(run.windows[4].live, 11080);
  EXPECT_EQ(run.windows[4].before, 5200);
}

TEST(Floors, ReallocatedGrowthAccelerates) {
  EXPECT_TRUE(FloorAccelerates(Make(520, Doubling).windows));
  EXPECT_TRUE(FloorAccelerates(Make(1032, [](uint32_t i) { return 64.0 * i; }).windows));
  EXPECT_TRUE(FloorAccelerates(Make(1032, [](uint32_t i) { return 1e9 + i; }).windows));
  EXPECT_TRUE(FloorAccelerates(Make(1032, Doubling).windows));
  EXPECT_TRUE(FloorAccelerates(Make(2056, Doubling).windows));
  // Three growths of growth are needed.
  EXPECT_FALSE(FloorAccelerates(Make(264, Doubling).windows));
}

TEST(Floors, BoundedGrowthDoesNot) {
  EXPECT_FALSE(FloorAccelerates(Make(1032, [](uint32_t) { return 5000.0; }).windows));
  EXPECT_FALSE(FloorAccelerates(Make(1032, [](uint32_t i) { return 1000 * std::log(i); }).windows));
  EXPECT_FALSE(
      FloorAccelerates(Make(1032, [](uint32_t i) { return 1000 * std::sqrt(i); }).windows));
  EXPECT_FALSE(
      FloorAccelerates(Make(2056, [](uint32_t i) { return Doubling(std::min(i, 500u)); }).windows));
}

TEST(Floors, StepsAddBlocksAndAreNoReallocation) {
  EXPECT_FALSE(FloorAccelerates(
      Make(
          1032, [](uint32_t i) { return 64.0 * i; }, [](uint32_t i) { return 1.0 * i; })
          .windows));
}

TEST(Floors, AStockAcceleratesWithItsBlocks) {
  const auto stock = [](uint32_t until, const Level& blocks) {
    return StockAccelerates(Make(
                                until, [](uint32_t) { return 5000.0; }, blocks)
                                .windows);
  };
  EXPECT_TRUE(stock(1032, [](uint32_t i) { return 1.0 * i; }));
  EXPECT_TRUE(stock(2056, [](uint32_t i) { return 1.0 * i; }));
  EXPECT_FALSE(stock(520, [](uint32_t i) { return i < 40 ? 4.0 : 1.0 * i; }));
  EXPECT_FALSE(stock(1032, [](uint32_t i) { return 10 * std::sqrt(i); }));
  EXPECT_FALSE(stock(1032, [](uint32_t i) { return 1.0 * std::min(i, 500u); }));
  // A sawtooth that is full at each look.
  EXPECT_FALSE(stock(1032, [](uint32_t i) { return 1.0 * (i % 128 == 8 ? i : 4); }));
}

TEST(Floors, WhatIsGivenBackIsNoGrowth) {
  // Grows to a sawtooth's tip at each look, and back in between.
  EXPECT_FALSE(FloorAccelerates(
      Make(1032, [](uint32_t i) { return 64.0 * (i % 128 == 8 ? i : 100); }).windows));
  EXPECT_FALSE(
      FloorRises(Make(136, [](uint32_t i) { return 64.0 * (i % 32 == 8 ? i : 1); }).windows));
}

TEST(Floors, RisingDelaysClean) {
  EXPECT_TRUE(FloorRises(Make(136, [](uint32_t i) { return 64.0 * i; }).windows));
  EXPECT_TRUE(FloorRises(Make(136, Doubling).windows));
  EXPECT_FALSE(FloorRises(Make(136, [](uint32_t) { return 64.0; }).windows));
  EXPECT_FALSE(FloorRises(Make(136, [](uint32_t i) { return 64.0 * std::min(i, 40u); }).windows));
  // A buffer of at least 512 bytes that gains 12 per iteration.
  EXPECT_TRUE(FloorRises(Make(136, [](uint32_t i) {
                           return i <= 42 ? 512.0 : i <= 85 ? 1024.0 : 2048.0;
                         }).windows));
}

TEST(Floors, OneStepRisesOnlyWhereNoBlockIsAdded) {
  const Level step = [](uint32_t i) { return i < 50 ? 64.0 : 256.0; };
  EXPECT_TRUE(FloorRises(Make(136, step).windows));
  EXPECT_FALSE(FloorRises(Make(136, step, [](uint32_t i) { return i < 50 ? 1.0 : 2.0; }).windows));
  EXPECT_FALSE(FloorRises(Make(264, step).windows));
  // Descriptors have no bytes.
  EXPECT_FALSE(FloorRises(Make(136, [](uint32_t) { return 0.0; }).windows));
}

}  // namespace
}  // namespace plimsoll
