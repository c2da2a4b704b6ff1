#include "allocators/planner_arena/planner/packing.h"

#include <gtest/gtest.h>

#include <vector>

namespace plimsoll {
namespace {

TEST(PackingTest, SectionsAreMaximalLiveSets) {
  // At 2 only an end, at 3 a begin: {a, b} and {b, c} are maximal, {b} alone is not.
  const Packing packing = MakePacking({{0, 2, 4}, {1, 5, 6}, {3, 7, 10}});
  ASSERT_EQ(packing.parts.size(), 1u);
  const Part& part = packing.parts[0];
  EXPECT_EQ(packing.unit, 2);
  EXPECT_EQ(part.totals, (std::vector<int64_t>{5, 8}));
  EXPECT_EQ(part.lower_bound, 8);
  ASSERT_EQ(part.items.size(), 3u);
  EXPECT_EQ(part.items[0].first, 0);
  EXPECT_EQ(part.items[0].last, 1);
  EXPECT_EQ(part.items[1].first, 0);
  EXPECT_EQ(part.items[1].last, 2);
  EXPECT_EQ(part.items[1].width, 4);
  EXPECT_EQ(part.items[2].first, 1);
}

TEST(PackingTest, EmptyMomentsDivideParts) {
  // Half-open: the third begins when the first two have ended.
  const Packing packing = MakePacking({{5, 9, 3}, {0, 4, 3}, {2, 5, 3}, {9, 10, 6}});
  ASSERT_EQ(packing.parts.size(), 3u);
  EXPECT_EQ(packing.parts[0].ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(packing.parts[1].ids, (std::vector<int32_t>{0}));
  EXPECT_EQ(packing.parts[2].ids, (std::vector<int32_t>{3}));
  EXPECT_EQ(packing.parts[2].totals, (std::vector<int64_t>{2}));
}

TEST(PackingTest, UnitDividesAlignmentsThatMatter) {
  // 16 divides 32, so it costs nothing; 48 does not, and 16 is left of 32 and 48.
  EXPECT_EQ(MakePacking({{0, 1, 32, 16}, {0, 1, 64}}).unit, 32);
  const Packing packing = MakePacking({{0, 1, 32, 48}, {0, 1, 64}});
  EXPECT_EQ(packing.unit, 16);
  EXPECT_EQ(packing.parts[0].items[0].alignment, 3);
  EXPECT_EQ(packing.parts[0].items[1].alignment, 1);
}

TEST(PackingTest, NothingIsLeftOfEmptyBuffers) {
  EXPECT_TRUE(MakePacking({}).parts.empty());
  EXPECT_TRUE(MakePacking({{0, 5, 0, 8}}).parts.empty());
}

}  // namespace
}  // namespace plimsoll
