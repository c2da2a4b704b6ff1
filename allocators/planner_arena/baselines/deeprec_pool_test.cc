#include "allocators/planner_arena/baselines/deeprec_pool.h"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kBin = 4 * kKiB;

TEST(DeepRecPool, HeaderCountsTowardsTheBin) {
  const DeepRecPool pool(kBin);
  EXPECT_EQ(pool.BinOf(64 * kKiB), 17u);
  EXPECT_EQ(pool.BinOf(64 * kKiB - 64), 16u);
  EXPECT_EQ(pool.BinOf(64 * kKiB - 63), 17u);
  EXPECT_EQ(pool.ChunkBytes(17), 68 * kKiB);
}

TEST(DeepRecPool, LifetimesShareAChunkUnlessTheyMeet) {
  DeepRecPool pool(kBin);
  EXPECT_TRUE(pool.Extend({{0, 5, 40 * kKiB}, {5, 9, 40 * kKiB}}));
  EXPECT_EQ(pool.PoolBytes(), 44 * kKiB);
  EXPECT_TRUE(pool.Extend({{10, 15, 40 * kKiB}, {14, 19, 40 * kKiB}}));
  EXPECT_EQ(pool.PoolBytes(), 88 * kKiB);
  EXPECT_FALSE(pool.Extend({{20, 25, 40 * kKiB}, {24, 29, 40 * kKiB}}));
}

TEST(DeepRecPool, LargerBinsLendAndSmallerDoNot) {
  DeepRecPool pool(kBin);
  pool.Extend({{0, 2, 40 * kKiB}, {4, 6, 100 * kKiB}});
  // The large one was placed first, and the small one found its chunk free.
  EXPECT_EQ(pool.PoolBytes(), 104 * kKiB);
  EXPECT_EQ(pool.bins().at(11).chunks, 0u);
  EXPECT_EQ(pool.bins().at(11).lenders, std::vector<size_t>{26});
  pool.Extend({{10, 20, 100 * kKiB}, {12, 18, 40 * kKiB}, {30, 40, 40 * kKiB}});
  EXPECT_EQ(pool.PoolBytes(), 148 * kKiB);
  // A chunk of its own bin comes before a larger one.
  EXPECT_EQ(pool.bins().at(11).chunks, 1u);
  EXPECT_EQ(pool.bins().at(11).lenders.size(), 1u);
  // A request larger than all chunks needs a new one.
  EXPECT_TRUE(pool.Extend({{50, 60, 200 * kKiB}}));
}

// Each step is compared with all that was recorded before it.
TEST(DeepRecPool, WorkGrowsWithTheSquareOfTheHistory) {
  DeepRecPool pool(kBin);
  for (int64_t step = 0; step < 100; ++step) pool.Extend({{step * 2, step * 2 + 1, 40 * kKiB}});
  EXPECT_EQ(pool.PoolBytes(), 44 * kKiB);
  EXPECT_EQ(pool.comparisons(), 100 * 99 / 2);
}

}  // namespace
}  // namespace plimsoll
