#include "allocators/planner_arena/planner/part_valleys.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/validator.h"

namespace plimsoll {
namespace {

// Of buffers that are one part.
Plan PlanOf(const std::vector<Buffer>& buffers, uint64_t seed) {
  const Packing packing = MakePacking(buffers);
  Plan plan;
  plan.offsets.assign(buffers.size(), 0);
  for (const Part& part : packing.parts) {
    const auto made = FillValleys(part, seed, INT64_MAX, Deadline());
    EXPECT_TRUE(made.has_value());
    if (!made.has_value()) return plan;
    for (size_t i = 0; i < part.ids.size(); ++i) {
      plan.offsets[static_cast<size_t>(part.ids[i])] = made->offsets[i] * packing.unit;
    }
    plan.height = std::max(plan.height, made->height * packing.unit);
  }
  return plan;
}

TEST(FillValleys, AnyProblemGetsAValidPlan) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto count = static_cast<int32_t>(20 + 7 * seed);
    for (std::vector<Buffer> buffers : {RandomBuffers(count, seed), TraceLike(count, seed),
                                        PerfectTiles(count, Cuts::kGuillotine, seed),
                                        PerfectTiles(count, Cuts::kPinwheels, seed)}) {
      for (size_t i = 0; i < buffers.size(); i += 3) buffers[i].alignment = 48;
      const Plan plan = PlanOf(buffers, seed % 4);
      const Status valid = ValidateOffsets(buffers, plan.offsets, plan.height);
      EXPECT_TRUE(valid.has_value()) << valid.error().message;
    }
  }
}

// On a floor of one byte: a buffer of that size from 0 to 4, which comes first as it is the
// widest, for something else lies above each tick of it. Then `others`.
std::vector<Buffer> Beside(int64_t size, const std::vector<Buffer>& others) {
  std::vector<Buffer> buffers = {{.lower = 0, .upper = 4, .size = size}};
  buffers.insert(buffers.end(), others.begin(), others.end());
  buffers.push_back({.lower = 0, .upper = 8, .size = 1});
  for (int64_t tick = 0; tick < 4; ++tick) {
    buffers.push_back({.lower = tick, .upper = tick + 1, .size = 1});
  }
  return buffers;
}

TEST(FillValleys, WhatFillsAValleyComesBeforeWhatIsLevel) {
  const Plan plan = PlanOf(Beside(3, {{.lower = 4, .upper = 6, .size = 3},  // level
                                      {.lower = 6, .upper = 8, .size = 1},
                                      {.lower = 4, .upper = 8, .size = 2}}),  // fills
                           0);
  EXPECT_EQ(plan.offsets[0], 1);
  EXPECT_EQ(plan.offsets[1], 3);
  EXPECT_EQ(plan.offsets[3], 1);
}

TEST(FillValleys, PrefersWhatIsLevelWithItsNeighbour) {
  const Plan plan = PlanOf(
      Beside(5, {{.lower = 4, .upper = 8, .size = 2}, {.lower = 4, .upper = 8, .size = 5}}), 0);
  EXPECT_EQ(plan.offsets[0], 1);
  EXPECT_EQ(plan.offsets[1], 6);
  EXPECT_EQ(plan.offsets[2], 1);
}

// Nothing left begins or ends at an edge of the valley that d and e leave.
TEST(FillValleys, WhatFitsOnlyInsideIsFound) {
  const std::vector<Buffer> buffers = {{.lower = 0, .upper = 8, .size = 1},
                                       {.lower = 0, .upper = 2, .size = 1},
                                       {.lower = 1, .upper = 7, .size = 4}};
  EXPECT_EQ(PlanOf(buffers, 0).height, 6);
}

TEST(FillValleys, TilesLieLowerThanThirtyFivePercentAboveTheirArea) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Plan plan = PlanOf(PerfectTiles(10'000, Cuts::kGuillotine, seed), 0);
    EXPECT_LT(plan.height, (1 << 20) * 1.35) << seed;
  }
}

TEST(FillValleys, ASeedIsAnotherPlanAndTheSameEachTime) {
  const std::vector<Buffer> buffers = PerfectTiles(500, Cuts::kPinwheels, 1);
  EXPECT_EQ(PlanOf(buffers, 7).offsets, PlanOf(buffers, 7).offsets);
  EXPECT_NE(PlanOf(buffers, 7).offsets, PlanOf(buffers, 9).offsets);
}

TEST(FillValleys, GivesUp) {
  const Packing packing = MakePacking(PerfectTiles(500, Cuts::kPinwheels, 1));
  const Part& part = packing.parts[0];
  EXPECT_FALSE(FillValleys(part, 0, part.lower_bound, Deadline()).has_value());
  EXPECT_FALSE(FillValleys(part, 0, INT64_MAX, Deadline::After(0)).has_value());
}

// Everything begins at once: each look at an edge sees all of it.
TEST(FillValleys, ManyLooksAreGivenUp) {
  std::vector<Buffer> buffers;
  for (int32_t i = 0; i < 4000; ++i) {
    buffers.push_back({.lower = 0, .upper = 10 + i, .size = 1 + i % 7});
  }
  const Packing packing = MakePacking(buffers);
  EXPECT_FALSE(FillValleys(packing.parts[0], 0, INT64_MAX, Deadline()).has_value());
}

}  // namespace
}  // namespace plimsoll
