#include "allocators/planner_arena/planner/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "allocators/planner_arena/planner/exhaustive.h"
#include "allocators/planner_arena/planner/greedy.h"
#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/orders.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/part_greedy.h"
#include "allocators/planner_arena/planner/planner_testing.h"

namespace plimsoll {
namespace {

TEST(PlannerTest, NothingToPlan) {
  const PlanResult result = Checked({});
  EXPECT_EQ(result.plan.height, 0);
  EXPECT_TRUE(result.optimal());
  EXPECT_EQ(result.Gap(), 0);
  EXPECT_EQ(Checked({{0, 4, 0, 16}}, {.capacity = 1}).fits, Fits::kYes);
}

TEST(PlannerTest, IsOptimalOnTinyProblems) {
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    const bool aligned = seed % 2 == 1;
    const std::vector<Buffer> buffers = TinyBuffers(6, seed, 8, aligned);
    const int64_t least = LeastHeight(buffers);
    const PlanResult result = Checked(buffers);
    ASSERT_EQ(result.plan.height, least);
    ASSERT_TRUE(result.optimal());
    if (least <= 1) continue;
    ASSERT_EQ(Checked(buffers, {.capacity = least}).fits, Fits::kYes);
    const PlanResult below = Checked(buffers, {.capacity = least - 1});
    ASSERT_EQ(below.fits, Fits::kNo);
    ASSERT_GT(below.plan.lower_bound, least - 1);
    const PlanResult minimal = Checked(buffers, {.capacity = 2 * least, .minimize = true});
    ASSERT_EQ(minimal.plan.height, least);
  }
}

TEST(PlannerTest, IsNeverHigherThanGreedyBySize) {
  for (uint64_t seed = 0; seed < 25; ++seed) {
    for (const std::vector<Buffer>& buffers :
         {RandomBuffers(150, seed), TraceLike(400, seed), PerfectTiles(60, Cuts::kPinwheels, seed),
          TinyBuffers(40, seed, 24, true)}) {
      const int64_t greedy = GreedyBySize(buffers).height;
      const PlanResult cheap = Checked(buffers, {.effort = 0});
      EXPECT_LE(cheap.plan.height, greedy);
      EXPECT_EQ(cheap.nodes, 0);
      EXPECT_LE(Checked(buffers, {.capacity = 2 * greedy, .effort = 0}).plan.height, greedy);
      EXPECT_LE(Checked(buffers, {.effort = 100'000}).plan.height, greedy);
    }
  }
}

// Beyond each number up to which more is tried. The reference is another implementation of the
// same order (part_greedy_test), fast enough for so many.
TEST(PlannerTest, IsNeverHigherThanGreedyBySizeOfManyBuffers) {
  for (const int32_t count : {5001, 20'001, 100'000}) {
    for (const std::vector<Buffer>& buffers : {RandomBuffers(count, 1), TraceLike(count, 1)}) {
      const Packing packing = MakePacking(buffers);
      int64_t greedy = 0;
      for (const Part& part : packing.parts) {
        const auto plan =
            FillGaps(part, OrderBy(part, "ZW"), Fit::kBest, INT64_MAX, INT64_MAX, Deadline());
        greedy = std::max(greedy, plan->height * packing.unit);
      }
      EXPECT_LE(Checked(buffers, {.effort = 0}).plan.height, greedy) << count;
    }
  }
}

TEST(PlannerTest, SameInputsSamePlan) {
  const std::vector<Buffer> buffers = AlmostTiles(80, 9);
  const PlanResult once = Checked(buffers);
  const PlanResult again = Checked(buffers);
  EXPECT_EQ(once.plan.offsets, again.plan.offsets);
  EXPECT_EQ(once.nodes, again.nodes);
  EXPECT_EQ(Checked(buffers, {.threads = 4}).plan.height, once.plan.height);
}

TEST(PlannerTest, TimeLimitReturnsThePlanSoFar) {
  const std::vector<Buffer> buffers = AlmostTiles(600, 1);
  const auto begin = std::chrono::steady_clock::now();
  const PlanResult result =
      Checked(buffers, {.time_limit = 0.2, .effort = std::numeric_limits<int64_t>::max() / 2});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  // Without the limit this is hours; what matters is that it ends.
  EXPECT_LT(took.count(), 30);
  EXPECT_FALSE(result.optimal());
  EXPECT_GT(result.Gap(), 0);
  EXPECT_EQ(Checked(buffers, {.time_limit = 0}).plan.offsets.size(), buffers.size());
}

TEST(PlannerTest, UndecidedWithoutEffort) {
  const std::vector<Buffer> buffers = AlmostTiles(600, 1);
  const PlanResult result = Checked(buffers, {.capacity = 1 << 20, .effort = 0});
  EXPECT_EQ(result.fits, Fits::kUndecided);
  EXPECT_EQ(Checked(buffers, {.capacity = (1 << 20) - 1, .effort = 0}).fits, Fits::kNo);
  EXPECT_EQ(Checked(buffers, {.capacity = 1 << 22, .effort = 0}).fits, Fits::kYes);
}

// Five are live at most, and six are needed. What is refuted needs the next sum of sizes.
TEST(PlannerTest, RefutedCapacitiesProveTheNextSum) {
  std::vector<Buffer> buffers = {{7, 8, 2}, {1, 5, 2}, {1, 3, 3}, {6, 8, 3}, {3, 7, 1}, {0, 1, 2},
                                 {0, 1, 1}, {3, 4, 2}, {4, 6, 2}, {5, 7, 1}, {0, 1, 1}, {5, 6, 1}};
  ASSERT_EQ(Checked(buffers).plan.height, 6);
  for (Buffer& buffer : buffers) buffer.size *= 1000;
  // Apart from the others, it keeps the unit at one byte.
  buffers.push_back({8, 9, 1});
  const PlanResult result = Checked(buffers, {.capacity = 5000});
  EXPECT_EQ(result.fits, Fits::kNo);
  EXPECT_EQ(result.plan.lower_bound, 6000);
  const int64_t once = Checked(buffers, {.capacity = 5000}).nodes;
  EXPECT_EQ(Checked(buffers, {.capacity = 5999}).nodes, once);
}

TEST(PlannerTest, SearchesNothingBelowTheBound) {
  const PlanResult result = Checked(AlmostTiles(600, 1), PlanOptions{.capacity = (1 << 20) - 1});
  EXPECT_EQ(result.fits, Fits::kNo);
  EXPECT_EQ(result.nodes, 0);
}

TEST(PlannerTest, ReportsProgress) {
  int64_t calls = 0;
  PlanProgress last;
  PlanOptions options;
  options.effort = 1'000'000;
  options.progress = [&](const PlanProgress& progress) {
    ++calls;
    if (calls > 1) {
      EXPECT_LE(progress.height, last.height);
    }
    EXPECT_GE(progress.height, progress.lower_bound);
    last = progress;
  };
  const PlanResult result = Checked(AlmostTiles(600, 1), options);
  EXPECT_GT(calls, 1);
  EXPECT_EQ(last.height, result.plan.height);
}

TEST(PlannerTest, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(MakePlan({{3, 3, 1}}).error().message,
            "buffer 0: upper: '3': expected more than lower, which is 3");
  EXPECT_EQ(MakePlan({}, {.capacity = 0}).error().message, "capacity: '0': expected > 0 bytes");
  EXPECT_EQ(MakePlan({}, {.threads = 0}).error().message, "threads: '0': expected >= 1");
  EXPECT_EQ(MakePlan({}, {.effort = -1}).error().message, "effort: '-1': expected >= 0");
  EXPECT_FALSE(MakePlan({}, {.time_limit = -1.0}));
}

}  // namespace
}  // namespace plimsoll
