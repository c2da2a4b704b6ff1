#include "allocators/planner_arena/planner/joins.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/validator.h"

namespace plimsoll {
namespace {

Part PartOf(const std::vector<Buffer>& buffers) { return MakePacking(buffers).parts.at(0); }

std::vector<Buffer> ItemsOf(const Part& part) {
  std::vector<Buffer> items;
  for (const Item& item : part.items) {
    items.push_back({item.first, item.last, item.size, item.alignment});
  }
  return items;
}

// Rectangles one on top of the other are a plan, if a high one: what is in them fits, too.
void ExpectExpands(const Part& part, const Joins& joins) {
  std::vector<int64_t> offsets;
  int64_t top = 0;
  for (const Buffer& rectangle : joins.Rectangles()) {
    offsets.push_back(AlignUp(top, rectangle.alignment));
    top = offsets.back() + rectangle.size;
  }
  const Status valid = ValidateOffsets(ItemsOf(part), joins.Expand(offsets), top);
  EXPECT_TRUE(valid) << valid.error().message;
  EXPECT_EQ(LowerBound(joins.Rectangles()), part.lower_bound);
}

TEST(JoinsTest, ATilingSparesNothing) {
  EXPECT_TRUE(IsTiling(PartOf(CoarseTiles(100, 20, 20, 1))));
  EXPECT_TRUE(IsTiling(PartOf({{0, 4, 3}, {4, 6, 3}, {0, 6, 2}})));
  EXPECT_FALSE(IsTiling(PartOf({{0, 4, 3}, {4, 6, 2}, {0, 6, 2}})));
}

TEST(JoinsTest, APinwheelIsOneRectangle) {
  // Left, top, right, bottom, middle: no two of them are a rectangle.
  const Part part = PartOf({{0, 2, 7}, {0, 5, 3}, {5, 9, 6}, {2, 9, 4}, {2, 5, 3}});
  Joins joins(part, 1);
  ASSERT_EQ(joins.NumRectangles(), 1u);
  // Items are in the order of their beginnings: left, top, bottom, middle, right.
  EXPECT_EQ(joins.Expand({100}), (std::vector<int64_t>{100, 107, 100, 104, 104}));
}

TEST(JoinsTest, TakesPinwheelTilingsApart) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Part part = PartOf(PerfectTiles(20'000, Cuts::kPinwheels, seed));
    Joins joins(part, 1);
    joins.Run(100'000, Deadline());
    EXPECT_EQ(joins.NumRectangles(), 1u) << seed;
    ExpectExpands(part, joins);
  }
}

// Here most first choices are wrong ones; those on top of them have to be broken again.
TEST(JoinsTest, FindsItsWayAmongChoices) {
  int one = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Part part = PartOf(CoarseTiles(200, 50, 1024, seed));
    Joins joins(part, 1);
    const size_t at_first = joins.NumRectangles();
    joins.Run(50'000, Deadline());
    EXPECT_LE(joins.NumRectangles(), at_first);
    one += joins.NumRectangles() == 1;
    ExpectExpands(part, joins);
  }
  EXPECT_GE(one, 15);
}

TEST(JoinsTest, KeepsAlignedItemsApart) {
  const Part part = PartOf({{0, 4, 3, 2}, {0, 4, 3, 2}, {0, 4, 1}, {0, 4, 1}});
  Joins joins(part, 1);
  joins.Run(1000, Deadline());
  EXPECT_EQ(joins.NumRectangles(), 3u);
  ExpectExpands(part, joins);
}

TEST(JoinsTest, ASeedIsAWalk) {
  const Part part = PartOf(CoarseTiles(500, 50, 200, 1));
  const auto offsets = [&](uint64_t seed) {
    Joins joins(part, seed);
    joins.Run(5000, Deadline());
    return joins.Expand(std::vector<int64_t>(joins.NumRectangles(), 0));
  };
  EXPECT_EQ(offsets(3), offsets(3));
  EXPECT_NE(offsets(3), offsets(4));
}

TEST(JoinsTest, StopsAtTheDeadline) {
  const Part part = PartOf(CoarseTiles(1000, 50, 1024, 1));
  Joins joins(part, 1);
  EXPECT_FALSE(joins.Run(1'000'000, Deadline::After(0)));
}

}  // namespace
}  // namespace plimsoll
