#include "allocators/planner_arena/planner/paged_plan.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/validator.h"

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
  for (int64_t i = 0; i < 6; ++i) buffers.push_back({0, 10, i == 0 ? kMiB + 64 : kMiB, 64});
  for (int64_t i = 0; i < 6; ++i) buffers.push_back({0, 10, 192, 64});
  const Plan plan = Checked(buffers);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(plan.offsets[i] % kPage, 0) << i;
  EXPECT_LE(plan.height, plan.lower_bound + plan.lower_bound / 1000);
}

// Each would lose nearly a page to begin on the next.
TEST(PagedPlan, NotForAHigherPlan) {
  std::vector<Buffer> buffers;
  for (int64_t i = 0; i < 8; ++i) buffers.push_back({0, 10, kMiB + 64, 64});
  const Plan plan = Checked(buffers);
  EXPECT_EQ(plan.height, plan.lower_bound);
}

// Nor do those that would leave much of a page empty, though the plan had room for it.
TEST(PagedPlan, NotForBuffersThatWasteMuchOfAPage) {
  std::vector<Buffer> buffers = {{0, 10, 1024 * kMiB, 128}};
  for (int64_t i = 0; i < 8; ++i) buffers.push_back({0, 10, kLeastToPage + 128, 128});
  const Plan plan = Checked(buffers);
  EXPECT_EQ(plan.height, plan.lower_bound);
}

// The same at one place, others at others.
TEST(PagedPlan, BuffersBeginInDifferentLinesOfPages) {
  std::vector<Buffer> buffers;
  for (int64_t i = 0; i < 64; ++i) buffers.push_back({0, 10, kMiB, 64});
  for (int64_t i = 0; i < 64; ++i) buffers.push_back({10, 20, kMiB, 64});
  const Plan plan = Checked(buffers);
  EXPECT_LE(plan.height, plan.lower_bound + kPage);
  std::map<int64_t, std::set<int64_t>> lines_of_page;
  std::set<int64_t> lines;
  for (const int64_t offset : plan.offsets) {
    lines_of_page[offset / kPage].insert(offset % kPage);
    lines.insert(offset % kPage);
  }
  EXPECT_EQ(lines_of_page.size(), 64u);
  for (const auto& [page, of_page] : lines_of_page) EXPECT_EQ(of_page.size(), 1u) << page;
  EXPECT_GE(lines.size(), 8u);
}

TEST(PagedPlan, GreaterAlignmentsAreKept) {
  const std::vector<Buffer> buffers = {{0, 10, 999 * kMiB, 64},
                                       {0, 10, 8 * kMiB, 2 * kMiB},
                                       {0, 10, 128 * 1024, 48},
                                       {0, 10, 8 * kMiB, 2 * kMiB},
                                       {0, 10, 128 * 1024, 48}};
  Checked(buffers);  // the validator knows of alignments
}

// Blocks of a page, of a line, and of less than a line.
TEST(PagedPlan, SmallAlignments) {
  for (const int64_t alignment : {1, 16, 64, 128, 4096}) {
    std::vector<Buffer> buffers;
    for (int64_t i = 0; i < 30; ++i) buffers.push_back({i % 3, i % 3 + 2, 9 * kMiB, alignment});
    Checked(buffers);
  }
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
