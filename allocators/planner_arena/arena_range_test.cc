// How the arena's address space grows and shrinks.

#include "allocators/planner_arena/arena_range.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using arena_testing::FakePages;

constexpr size_t kPage = 4096;
constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kUseful = size_t{1} << 30;

ArenaConfiguration Growing() {
  ArenaConfiguration configuration;
  configuration.reserve_bytes = size_t{1} << 32;
  return configuration;
}

TEST(ArenaRange, ReservesOnceAndCommitsLater) {
  FakePages pages;
  ArenaBudget budget(0);
  {
    ArenaRange range(Growing(), pages, budget);
    EXPECT_EQ(pages.reservations, 0);
    ASSERT_TRUE(range.Prepare(kMiB));
    ASSERT_TRUE(range.Prepare(2 * kMiB));
    EXPECT_EQ(pages.reservations, 1);
    EXPECT_EQ(pages.reserved, size_t{1} << 32);
    EXPECT_EQ(range.base() % (2 * kMiB), 0u);
    EXPECT_EQ(pages.committed, 0u);
    EXPECT_EQ(budget.held(), 0);
    const auto* const base = reinterpret_cast<const std::byte*>(range.base());
    EXPECT_TRUE(range.Owns(base));
    EXPECT_TRUE(range.Owns(base + pages.reserved - 1));
    EXPECT_FALSE(range.Owns(base + pages.reserved));
    EXPECT_FALSE(range.Owns(base - 1));
  }
  EXPECT_EQ(pages.reservations, 0);
}

TEST(ArenaRange, NoAddressSpace) {
  FakePages pages;
  pages.refuse_reserve = true;
  ArenaBudget budget(0);
  ArenaRange range(Growing(), pages, budget);
  EXPECT_FALSE(range.Prepare(kMiB));
  EXPECT_FALSE(range.Owns(&pages));
  pages.refuse_reserve = false;
  EXPECT_TRUE(range.Prepare(kMiB));
}

TEST(ArenaRange, RegionsStartAsConfiguredAndDouble) {
  FakePages pages;
  ArenaBudget budget(0);
  ArenaRange range(Growing(), pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  for (size_t end = 1; end <= 64 * kMiB; end += kMiB) ASSERT_TRUE(range.CommitTo(end, kUseful));
  EXPECT_EQ(pages.commits,
            (std::vector<size_t>{2 * kMiB, 2 * kMiB, 4 * kMiB, 8 * kMiB, 16 * kMiB, 32 * kMiB}));
  EXPECT_EQ(range.committed(), 64 * kMiB);
  EXPECT_EQ(budget.held(), static_cast<int64_t>(64 * kMiB));
}

TEST(ArenaRange, FirstRegionIsAnOption) {
  FakePages pages;
  ArenaBudget budget(0);
  ArenaConfiguration configuration = Growing();
  configuration.first_region_bytes = 4096;
  ArenaRange range(configuration, pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  for (size_t end = 1; end <= 8 * kPage; end += 64) ASSERT_TRUE(range.CommitTo(end, kUseful));
  EXPECT_EQ(pages.commits, (std::vector<size_t>{kPage, kPage, 2 * kPage, 4 * kPage}));
}

TEST(ArenaRange, RegionIsAtLeastWhatIsAskedAndAtMostWhatIsUseful) {
  FakePages pages;
  ArenaBudget budget(0);
  ArenaRange range(Growing(), pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  ASSERT_TRUE(range.CommitTo(5 * kMiB, kUseful));
  ASSERT_TRUE(range.CommitTo(5 * kMiB + 1, 6 * kMiB));
  EXPECT_EQ(pages.commits, (std::vector<size_t>{5 * kMiB, kMiB}));
}

TEST(ArenaRange, BacksOffByATenthWhenRefused) {
  FakePages pages;
  pages.most_committed = 3 * kMiB;
  ArenaBudget budget(0);
  ArenaRange range(Growing(), pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  ASSERT_TRUE(range.CommitTo(1, kUseful));
  ASSERT_TRUE(range.CommitTo(2 * kMiB + 1, kUseful));
  ASSERT_EQ(pages.commits.size(), 2u);
  ASSERT_FALSE(pages.refused.empty());
  EXPECT_EQ(pages.refused.front(), 2 * kMiB);
  std::vector<size_t> tries = pages.refused;
  tries.push_back(pages.commits[1]);
  for (size_t i = 1; i < tries.size(); ++i) {
    EXPECT_EQ(tries[i],
              static_cast<size_t>(static_cast<double>(tries[i - 1]) * 0.9) / kPage * kPage);
  }
  EXPECT_LE(pages.commits[1], kMiB);
  EXPECT_GT(pages.commits[1], kMiB * 8 / 10);
}

TEST(ArenaRange, TheBudgetRefusesAsTheSystemDoes) {
  FakePages pages;
  ArenaBudget budget(3 * kMiB);
  ArenaRange range(Growing(), pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  ASSERT_TRUE(range.CommitTo(1, kUseful));
  ASSERT_TRUE(range.CommitTo(2 * kMiB + 1, kUseful));
  EXPECT_LE(budget.held(), static_cast<int64_t>(3 * kMiB));
  EXPECT_EQ(budget.held(), static_cast<int64_t>(range.committed()));
  const size_t committed = range.committed();
  EXPECT_FALSE(range.CommitTo(3 * kMiB + 1, kUseful));
  EXPECT_EQ(range.committed(), committed);
  EXPECT_EQ(budget.held(), static_cast<int64_t>(committed));
}

TEST(ArenaRange, RefusedToTheEndChangesNothing) {
  FakePages pages;
  pages.most_committed = 0;
  ArenaBudget budget(0);
  ArenaRange range(Growing(), pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  EXPECT_FALSE(range.CommitTo(1, kUseful));
  EXPECT_EQ(range.committed(), 0u);
  EXPECT_EQ(budget.held(), 0);
  EXPECT_FALSE(range.CommitTo((size_t{1} << 32) + 1, size_t{1} << 33));  // beyond what is reserved
}

TEST(ArenaRange, GivesBackWholePagesBetweenLiveBlocks) {
  FakePages pages;
  ArenaBudget budget(0);
  ArenaRange range(Growing(), pages, budget);
  ASSERT_TRUE(range.Prepare(kUseful));
  ASSERT_TRUE(range.CommitTo(10 * kPage, 10 * kPage));
  const std::vector<ArenaRange::Bytes> live = {{100, 200}, {3 * kPage + 1, 5 * kPage - 1}};
  // Pages 1 and 2, and 5 to 9.
  EXPECT_EQ(range.DiscardAllBut(live), 7 * kPage);
  EXPECT_EQ(pages.discarded, 7 * kPage);
  EXPECT_EQ(budget.held(), static_cast<int64_t>(10 * kPage));
  EXPECT_EQ(range.ShrinkTo(5 * kPage - 1), 5 * kPage);
  EXPECT_EQ(range.ShrinkTo(5 * kPage), 0u);
  EXPECT_EQ(pages.committed, 5 * kPage);
  EXPECT_EQ(budget.held(), static_cast<int64_t>(5 * kPage));
}

TEST(ArenaRange, NormalizedRangesAreSortedAndApart) {
  std::vector<ArenaRange::Bytes> ranges = {{50, 60}, {200, 300}, {0, 100}, {300, 310}, {90, 120}};
  ArenaRange::Normalize(ranges);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].begin, 0u);
  EXPECT_EQ(ranges[0].end, 120u);
  EXPECT_EQ(ranges[1].begin, 200u);
  EXPECT_EQ(ranges[1].end, 300u);
  EXPECT_EQ(ranges[2].end, 310u);
  ranges.clear();
  ArenaRange::Normalize(ranges);
  EXPECT_TRUE(ranges.empty());
}

TEST(ArenaRange, PreallocatesAndPopulatesOnce) {
  FakePages pages;
  ArenaBudget budget(0);
  ArenaConfiguration configuration = Growing();
  configuration.growth = Growth::kPreallocate;
  ArenaRange range(configuration, pages, budget);
  ASSERT_TRUE(range.Prepare(10 * kPage - 1));
  EXPECT_EQ(pages.commits, std::vector<size_t>{10 * kPage});
  EXPECT_EQ(pages.populated, 10 * kPage);
  // Again and lower: they are there. Taller: only what is new.
  ASSERT_TRUE(range.Prepare(10 * kPage));
  ASSERT_TRUE(range.Prepare(5 * kPage));
  EXPECT_EQ(pages.populated, 10 * kPage);
  ASSERT_TRUE(range.Prepare(12 * kPage));
  EXPECT_EQ(pages.populated, 12 * kPage);
  // Pages that went back are made resident again.
  EXPECT_EQ(range.DiscardAllBut({{0, 4 * kPage}}), 8 * kPage);
  ASSERT_TRUE(range.Prepare(12 * kPage));
  EXPECT_EQ(pages.populated, 20 * kPage);
  range.ShrinkTo(6 * kPage);
  ASSERT_TRUE(range.Prepare(12 * kPage));
  EXPECT_EQ(pages.populated, 26 * kPage);
}

TEST(ArenaRange, PreallocationThatIsRefusedChangesNothing) {
  FakePages pages;
  ArenaBudget budget(8 * kPage);
  ArenaConfiguration configuration = Growing();
  configuration.growth = Growth::kPreallocate;
  ArenaRange range(configuration, pages, budget);
  EXPECT_FALSE(range.Prepare(9 * kPage));
  EXPECT_EQ(pages.committed, 0u);
  pages.refuse_populate = true;
  EXPECT_FALSE(range.Prepare(8 * kPage));
  EXPECT_EQ(pages.committed, 0u);
  EXPECT_EQ(budget.held(), 0);
  pages.refuse_populate = false;
  EXPECT_TRUE(range.Prepare(8 * kPage));
}

TEST(ArenaRange, HintsAreGivenOnceIfAskedFor) {
  for (bool refuse : {false, true}) {
    FakePages pages;
    pages.refuse_hints = refuse;
    ArenaBudget budget(0);
    ArenaConfiguration configuration = Growing();
    configuration.huge_pages = true;
    configuration.numa_interleave = true;
    ArenaRange range(configuration, pages, budget);
    ASSERT_TRUE(range.Prepare(kMiB));
    ASSERT_TRUE(range.Prepare(kMiB));
    EXPECT_EQ(pages.huge_hints, 1);
    EXPECT_EQ(pages.interleave_hints, 1);
    EXPECT_EQ(range.hints_taken(), !refuse);
    EXPECT_TRUE(range.CommitTo(kMiB, kMiB));  // refused or not
  }
  FakePages pages;
  ArenaBudget budget(0);
  ArenaConfiguration none = Growing();
  none.huge_pages = false;
  ArenaRange range(none, pages, budget);
  ASSERT_TRUE(range.Prepare(kMiB));
  EXPECT_EQ(pages.huge_hints + pages.interleave_hints, 0);
}

TEST(ReservationOf, IsWhatIsConfiguredOrTheMachines) {
  ArenaConfiguration configuration;
  configuration.reserve_bytes = 5000;
  EXPECT_EQ(ReservationOf(configuration), 2 * kPage);
  configuration.reserve_bytes = 0;
  EXPECT_GT(ReservationOf(configuration), 64 * kMiB);
  EXPECT_LE(ReservationOf(configuration), ArenaConfiguration::kMostReservedBytes);
}

TEST(ArenaBudget, TakesUpToItsLimit) {
  ArenaBudget budget(100);
  EXPECT_TRUE(budget.Take(60));
  EXPECT_FALSE(budget.Take(41));
  EXPECT_EQ(budget.held(), 60);
  EXPECT_TRUE(budget.Take(40));
  budget.Give(70);
  EXPECT_EQ(budget.held(), 30);
  EXPECT_EQ(budget.peak(), 100);
  EXPECT_FALSE(budget.Take(std::numeric_limits<int64_t>::max()));
  ArenaBudget unlimited(0);
  EXPECT_TRUE(unlimited.Take(100));
  EXPECT_FALSE(unlimited.Take(std::numeric_limits<int64_t>::max()));  // cannot be counted
  EXPECT_EQ(unlimited.held(), 100);
}

// A request that fails must not, for a moment, use up what another asks for.
TEST(ArenaBudget, RequestsThatFailDisturbNobody) {
  ArenaBudget budget(100);
  std::atomic<bool> stop{false};
  std::thread greedy([&] {
    while (!stop) EXPECT_FALSE(budget.Take(101));
  });
  for (int i = 0; i < 200000; ++i) {
    ASSERT_TRUE(budget.Take(100));
    budget.Give(100);
  }
  stop = true;
  greedy.join();
}

}  // namespace
}  // namespace plimsoll
