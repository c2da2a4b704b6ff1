#include "harness/verdict/carving.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace plimsoll {
namespace {

constexpr uint32_t kStart = 8;

// Blocks from 1 KiB on, each `growth` times the one before, for 200 bytes per iteration.
std::vector<EpochSurvivors> Arena(double growth, uint32_t until) {
  std::vector<EpochSurvivors> epochs;
  double size = 1024;
  double left = 0;
  for (uint32_t epoch = 1; epoch <= until; ++epoch) {
    if (left < 200) {
      epochs.push_back({.epoch = epoch, .blocks = 1, .bytes = static_cast<uint64_t>(size)});
      left = size;
      size *= growth;
    }
    left -= 200;
  }
  return epochs;
}

TEST(CarvingRate, OfAnArena) {
  for (const double growth : {1.3, 1.5, 2.0}) {
    const auto rate = CarvingRate(Arena(growth, 1000), kStart, 1000);
    ASSERT_TRUE(rate.has_value()) << growth;
    EXPECT_NEAR(*rate, 200, 20) << growth;
  }
}

TEST(CarvingRate, NeedsSixBlocksAfterTheStart) {
  const std::vector<EpochSurvivors> epochs = Arena(1.5, 1000);
  ASSERT_EQ(epochs[0].epoch, 1u);
  EXPECT_TRUE(CarvingRate(epochs, kStart, epochs[7].epoch).has_value());
  EXPECT_FALSE(CarvingRate(epochs, kStart, epochs[6].epoch).has_value());
}

TEST(CarvingRate, NotOnceTheArenaRests) {
  const std::vector<EpochSurvivors> epochs = Arena(1.5, 200);
  EXPECT_TRUE(CarvingRate(epochs, kStart, 200).has_value());
  EXPECT_FALSE(CarvingRate(epochs, kStart, 400).has_value());
}

TEST(CarvingRate, NotOfEqualBlocksNorOfSeveralAtOnce) {
  EXPECT_FALSE(CarvingRate(Arena(1.1, 1000), kStart, 1000).has_value());
  std::vector<EpochSurvivors> epochs = Arena(1.5, 1000);
  epochs.back().blocks = 2;
  EXPECT_FALSE(CarvingRate(epochs, kStart, 1000).has_value());
}

TEST(CarvingRate, NotOfGrowingBlocksAtRandomTimes) {
  std::mt19937_64 random(7);
  int found = 0;
  for (int trial = 0; trial < 100'000; ++trial) {
    std::vector<EpochSurvivors> epochs;
    double at = kStart;
    double size = 1024;
    // Records: each takes about twice as long to come as the one before.
    while (true) {
      at += 1 + std::exponential_distribution<double>(3 / at)(random);
      if (at > 1000) break;
      epochs.push_back(
          {.epoch = static_cast<uint32_t>(at), .blocks = 1, .bytes = static_cast<uint64_t>(size)});
      size *= 1.25 + std::exponential_distribution<double>(2)(random);
    }
    found += CarvingRate(epochs, kStart, 1000).has_value();
  }
  EXPECT_LE(found, 30);
}

}  // namespace
}  // namespace plimsoll
