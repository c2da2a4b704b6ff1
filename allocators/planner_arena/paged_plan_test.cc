#include "allocators/planner_arena/paged_plan.h"

#include <gtest/gtest.h>

#include <limits>

#include "allocators/planner_arena/instances.h"
#include "allocators/planner_arena/validator.h"

namespace plimsoll {
namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kMiB = int64_t{1} << 20;

Plan Checked(const std::vector<Buffer>& buffers) {
  Plan plan = PlanOnPages(buffers, 2, kPage);
  const Status valid = ValidateOffsets(buffers, plan.offsets, plan.height);
  EXPECT_TRUE(valid) << valid.error().message;
  EXPECT_EQ(plan.height, Height(buffers, plan.offsets));
  EXPECT_EQ(plan.lower_bound, LowerBound(buffers));
  return plan;
}

TEST(PagedPlan, NothingToPlan) { EXPECT_EQ(Checked({}).height, 0); }

TEST(PagedPlan, LargeBuffersBeginOnPages) {
  // Laid without pages, each would begin a few bytes after the one before.
  std::vector<Buffer> buffers;
  for (int64_t i = 0; i < 6; ++i) buffers.push_back({0, 10, 4 * kMiB + 64, 64});
  for (int64_t i = 0; i < 6; ++i) buffers.push_back({0, 10, 192, 64});
  const Plan plan = Checked(buffers);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(plan.offsets[i] % kPage, 0) << i;
  EXPECT_LE(plan.height, plan.lower_bound + plan.lower_bound / 1000);
}

// Each would lose nearly a page to begin on the next.
TEST(PagedPlan, NotForAHigherPlan) {
  std::vector<Buffer> buffers;
  for (int64_t i = 0; i < 8; ++i) buffers.push_back({0, 10, kLeastToPage + 64, 64});
  const Plan plan = Checked(buffers);
  EXPECT_EQ(plan.height, plan.lower_bound);
}

TEST(PagedPlan, GreaterAlignmentsAreKept) {
  const std::vector<Buffer> buffers = {{0, 10, 999 * kMiB, 64},
                                       {0, 10, 8 * kMiB, 2 * kMiB},
                                       {0, 10, 128 * 1024, 48},
                                       {0, 10, 8 * kMiB, 2 * kMiB},
                                       {0, 10, 128 * 1024, 48}};
  Checked(buffers);  // the validator knows of alignments
}

TEST(PagedPlan, TracesOfManyBuffers) {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::vector<Buffer> buffers = TraceLike(500, seed);
    const Plan plan = Checked(buffers);
    EXPECT_LE(static_cast<double>(plan.height), 1.01 * static_cast<double>(plan.lower_bound));
  }
}

TEST(PagedPlan, WhatIsRefusedIsPlannedAllTheSame) {
  const std::vector<Buffer> buffers = {{0, 2, std::numeric_limits<int64_t>::max() / 4, 1},
                                       {1, 3, std::numeric_limits<int64_t>::max() / 4, 1}};
  ASSERT_FALSE(CheckBuffers(buffers));
  EXPECT_EQ(PlanOnPages(buffers, 1, kPage).offsets.size(), 2u);
}

}  // namespace
}  // namespace plimsoll
