#include "allocators/planner_arena/planner/greedy.h"

#include <cstdint>
#include <random>
#include <vector>

#include "allocators/planner_arena/planner/validator.h"
#include "gtest/gtest.h"

namespace plimsoll {
namespace {

using Offsets = std::vector<int64_t>;

TEST(GreedyTest, NoBuffersNeedNoBytes) {
  const Plan plan = GreedyBySize({});
  EXPECT_TRUE(plan.offsets.empty());
  EXPECT_EQ(plan.height, 0);
}

TEST(GreedyTest, LargestGoesFirstAndLowest) {
  const Plan plan = GreedyBySize({{0, 4, 10}, {2, 6, 30}, {5, 9, 20}});
  EXPECT_EQ(plan.offsets, (Offsets{30, 0, 30}));
  EXPECT_EQ(plan.height, 50);
  EXPECT_EQ(plan.lower_bound, 50);
}

TEST(GreedyTest, NeighboursInTimeMayShareBytes) {
  EXPECT_EQ(GreedyBySize({{0, 5, 8}, {5, 9, 8}}).height, 8);
}

// Four layers leave a gap of 6 at offset 4 and one of 3 at offset 14 for the last buffer.
const std::vector<Buffer> kTwoGaps = {{0, 2, 4}, {0, 1, 6}, {0, 2, 4},
                                      {0, 1, 3}, {0, 2, 4}, {1, 2, 3}};

TEST(GreedyTest, FirstFitTakesTheLowestGap) {
  EXPECT_EQ(GreedyInOrder(kTwoGaps, {0, 1, 2, 3, 4, 5}, Fit::kFirst).offsets[5], 4);
}

TEST(GreedyTest, BestFitTakesTheSmallestGap) {
  EXPECT_EQ(GreedyInOrder(kTwoGaps, {0, 1, 2, 3, 4, 5}, Fit::kBest).offsets[5], 14);
}

TEST(GreedyTest, OffsetsAreAligned) {
  const Plan plan = GreedyInOrder({{0, 1, 3}, {0, 1, 8, 8}, {0, 1, 5}}, {0, 1, 2}, Fit::kFirst);
  EXPECT_EQ(plan.offsets, (Offsets{0, 8, 3}));
}

TEST(GreedyTest, AGapThatAlignmentMakesTooSmallIsPassedOver) {
  // Bytes [3, 11) are free while the last buffer lives, but only [8, 11) begins at a
  // multiple of 8.
  const Plan plan =
      GreedyInOrder({{0, 2, 3}, {0, 1, 8}, {0, 2, 2}, {1, 2, 8, 8}}, {0, 1, 2, 3}, Fit::kBest);
  EXPECT_EQ(plan.offsets, (Offsets{0, 3, 11, 16}));
}

TEST(GreedyTest, EmptyBuffersDisturbNobody) {
  EXPECT_EQ(GreedyBySize({{0, 4, 0, 64}, {0, 4, 7}}).offsets, (Offsets{0, 0}));
}

TEST(GreedyTest, RandomPlansAreValid) {
  std::mt19937_64 random(1);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    std::vector<Buffer> buffers(below(60));
    for (Buffer& b : buffers) {
      b.lower = below(40) - 20;
      b.upper = b.lower + 1 + below(12);
      b.size = below(30);
      b.alignment = 1 + below(3) * below(8);
    }
    for (Fit fit : {Fit::kFirst, Fit::kBest}) {
      const Plan plan = GreedyBySize(buffers, fit);
      const Status valid = ValidateOffsets(buffers, plan.offsets, plan.height);
      ASSERT_TRUE(valid) << "round " << round << ": " << valid.error().message;
      EXPECT_GE(plan.height, plan.lower_bound);
    }
  }
}

}  // namespace
}  // namespace plimsoll
