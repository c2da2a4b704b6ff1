#include "allocators/planner_arena/planner/instances.h"

#include <gtest/gtest.h>

#include <vector>

namespace plimsoll {
namespace {

TEST(InstancesTest, TilesFillTheirRectangle) {
  for (const Cuts cuts : {Cuts::kGuillotine, Cuts::kPinwheels}) {
    for (const int32_t count : {1, 2, 7, 200, 5000}) {
      const std::vector<Buffer> tiles = PerfectTiles(count, cuts, 3);
      EXPECT_GE(tiles.size(), static_cast<size_t>(count));
      EXPECT_LE(tiles.size(), static_cast<size_t>(count) + 4);
      ASSERT_TRUE(CheckBuffers(tiles));
      int64_t area = 0;
      for (const Buffer& b : tiles) {
        area += b.size * (b.upper - b.lower);
        EXPECT_GE(b.lower, 0);
        EXPECT_LE(b.upper, 1 << 20);
        EXPECT_GE(b.size, 16);
      }
      EXPECT_EQ(area, int64_t{1} << 40);
      EXPECT_EQ(LowerBound(tiles), 1 << 20);
    }
  }
}

TEST(InstancesTest, CoarseTilesFillTheirGrid) {
  const std::vector<Buffer> tiles = CoarseTiles(1000, 50, 200, 3);
  EXPECT_EQ(tiles.size(), 1000u);
  ASSERT_TRUE(CheckBuffers(tiles));
  int64_t area = 0;
  for (const Buffer& b : tiles) {
    area += b.size * (b.upper - b.lower);
    EXPECT_GE(b.lower, 0);
    EXPECT_LE(b.upper, 50);
    EXPECT_EQ(b.size % 64, 0);
  }
  EXPECT_EQ(area, 50 * 200 * 64);
  EXPECT_EQ(LowerBound(tiles), 200 * 64);
}

TEST(InstancesTest, SeedsDecide) {
  const auto sizes = [](const std::vector<Buffer>& buffers) {
    std::vector<int64_t> of_buffers;
    for (const Buffer& b : buffers) of_buffers.push_back(b.size);
    return of_buffers;
  };
  EXPECT_EQ(sizes(TraceLike(100, 1)), sizes(TraceLike(100, 1)));
  EXPECT_NE(sizes(TraceLike(100, 1)), sizes(TraceLike(100, 2)));
  EXPECT_EQ(sizes(RandomBuffers(100, 1)), sizes(RandomBuffers(100, 1)));
  EXPECT_NE(sizes(PerfectTiles(100, Cuts::kPinwheels, 1)),
            sizes(PerfectTiles(100, Cuts::kPinwheels, 2)));
  EXPECT_NE(sizes(CoarseTiles(100, 50, 200, 1)), sizes(CoarseTiles(100, 50, 200, 2)));
  EXPECT_TRUE(CheckBuffers(TraceLike(1000, 1)));
  EXPECT_TRUE(CheckBuffers(RandomBuffers(1000, 1)));
}

}  // namespace
}  // namespace plimsoll
