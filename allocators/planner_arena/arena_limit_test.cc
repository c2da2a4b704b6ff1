// What the arena does when memory runs out: its limit, its last resorts, its report.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_sites.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

constexpr size_t kMiB = size_t{1} << 20;

ArenaConfiguration Limited(size_t bytes) {
  ArenaConfiguration configuration = Quick();
  configuration.limit_bytes = bytes;
  return configuration;
}

// What the exception says, or nothing if there was none.
std::string Complaint(PlannerArena& arena, size_t bytes) {
  try {
    arena.Free(arena.Allocate(bytes));
  } catch (const ArenaOutOfMemory& error) {
    return error.what();
  }
  return {};
}

TEST(ArenaLimit, CoversTheArenaAndUpstream) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(20 * kMiB));
  EXPECT_TRUE(Steps(*arena, 8, {8 * kMiB, 8 * kMiB}));
  EXPECT_EQ(arena->Stats().allocator.bytes_limit, static_cast<int64_t>(20 * kMiB));
  {
    const StepScope step(*arena);
    void* const planned = arena->Allocate(8 * kMiB);
    void* const more = arena->Allocate(8 * kMiB);
    void* const from_upstream = arena->Allocate(3 * kMiB);
    EXPECT_EQ(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(19 * kMiB));
    EXPECT_NE(Complaint(*arena, 2 * kMiB), "");
    for (void* block : {planned, more, from_upstream}) arena->Free(block);
  }
  EXPECT_LE(arena->Stats().allocator.peak_bytes_reserved, static_cast<int64_t>(20 * kMiB));
  EXPECT_TRUE(Steps(*arena, 8, {8 * kMiB, 8 * kMiB}));
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  EXPECT_EQ(upstream.blocks, 0);
}

TEST(ArenaLimit, NoneIsTheDefault) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  EXPECT_EQ(arena->Stats().allocator.bytes_limit, std::nullopt);
  EXPECT_EQ(Complaint(*arena, 100 * kMiB), "");
}

TEST(ArenaLimit, FreePagesGoBackBeforeARequestFails) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(20 * kMiB));
  EXPECT_TRUE(Steps(*arena, 8, {12 * kMiB}));
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(12 * kMiB));
  // Between steps.
  EXPECT_EQ(Complaint(*arena, 16 * kMiB), "");
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
  EXPECT_NE(Complaint(*arena, 21 * kMiB), "");
}

// In a step: it goes on without its plan rather than fail.
TEST(ArenaLimit, OpenStepsGiveUpTheirPlanBeforeARequestFails) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(20 * kMiB));
  EXPECT_TRUE(Steps(*arena, 8, {12 * kMiB, 1000}));
  const Since since(*arena);
  {
    const StepScope step(*arena);
    EXPECT_TRUE(Work(*arena, {12 * kMiB}));  // committed, and idle from here on
    unsigned char* const large = static_cast<unsigned char*>(arena->Allocate(16 * kMiB));
    std::memset(large, 3, 16 * kMiB);
    EXPECT_TRUE(Work(*arena, {1000}));
    EXPECT_EQ(large[16 * kMiB - 1], 3);
    arena->Free(large);
  }
  EXPECT_EQ(since.hits(), 1);
  // The next step has its plan again.
  EXPECT_TRUE(Step(*arena, {12 * kMiB, 1000}));
  EXPECT_EQ(since.hits(), 3);
  EXPECT_LE(arena->Stats().allocator.peak_bytes_reserved, static_cast<int64_t>(20 * kMiB));
}

// But not for a request that would fail all the same.
TEST(ArenaLimit, HopelessRequestsCostNoPlan) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(20 * kMiB));
  EXPECT_TRUE(Steps(*arena, 8, {12 * kMiB, 1000}));
  const Since since(*arena);
  const StepScope step(*arena);
  EXPECT_TRUE(Work(*arena, {12 * kMiB}));
  EXPECT_NE(Complaint(*arena, 30 * kMiB), "");
  EXPECT_TRUE(Work(*arena, {1000}));
  EXPECT_EQ(since.hits(), 2);
}

// Fails as often as it is told to.
class FailingUpstream : public std::pmr::memory_resource {
 public:
  int failures = 0;

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override {
    if (failures > 0) {
      --failures;
      throw std::bad_alloc();
    }
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(ArenaLimit, UpstreamThatFailsIsAskedAgainOnceThePagesAreBack) {
  FailingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  EXPECT_TRUE(Steps(*arena, 8, {12 * kMiB}));
  upstream.failures = 1;
  EXPECT_EQ(Complaint(*arena, kMiB), "");
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
  upstream.failures = 1;  // and now there is nothing left to give back
  EXPECT_NE(Complaint(*arena, kMiB), "");
  EXPECT_EQ(Complaint(*arena, kMiB), "");
}

TEST(ArenaLimit, ReportSaysWhoAskedAndWhoHolds) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(20 * kMiB));
  const auto step = [&](std::string* complaint) {
    const StepScope scope(*arena);
    std::vector<void*> blocks;
    for (const auto& [site, bytes] : std::vector<std::pair<const char*, size_t>>{
             {"encoder", 6 * kMiB}, {"decoder", 9 * kMiB}, {"encoder", kMiB}}) {
      const SiteScope named(site);
      blocks.push_back(arena->Allocate(bytes));
    }
    if (complaint != nullptr) {
      const SiteScope named("optimizer");
      *complaint = Complaint(*arena, 5 * kMiB);
    }
    for (void* block : blocks) arena->Free(block);
  };
  for (bool planned : {false, true}) {
    std::string report;
    step(&report);
    EXPECT_NE(report.find("optimizer asked for 5.00 MiB, over the limit of 20.0 MiB"),
              std::string::npos)
        << report;
    EXPECT_NE(report.find("held 16.0 MiB"), std::string::npos) << report;
    const char* const where = planned ? "arena 16.0 MiB with 16.0 MiB live, upstream 0 B live"
                                      : "arena 0 B with 0 B live, upstream 16.0 MiB live";
    EXPECT_NE(report.find(where), std::string::npos) << report;
    // A line each, the most first.
    const size_t decoder = report.find("\n  9.00 MiB live of decoder");
    const size_t encoder = report.find("\n  7.00 MiB live of encoder");
    EXPECT_LT(decoder, encoder) << report;
    EXPECT_NE(encoder, std::string::npos) << report;
    for (int i = 0; i < 8; ++i) step(nullptr);
  }
}

TEST(ArenaLimit, ReportNamesTheTenLargestSites) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(kMiB));
  std::vector<void*> blocks;
  for (size_t i = 1; i <= 15; ++i) {
    const SiteScope named("site " + std::to_string(i));
    blocks.push_back(arena->Allocate(i * 1000));
  }
  const std::string report = Complaint(*arena, kMiB);
  EXPECT_EQ(std::count(report.begin(), report.end(), '\n'), 10) << report;
  EXPECT_NE(report.find("of site 15"), std::string::npos) << report;
  EXPECT_NE(report.find("of site 6"), std::string::npos) << report;
  EXPECT_EQ(report.find("of site 5"), std::string::npos) << report;
  for (void* block : blocks) arena->Free(block);
}

TEST(ArenaLimit, ReportSaysWhenUpstreamFailed) {
  for (size_t limit : {size_t{0}, 100 * kMiB}) {
    CountingUpstream upstream;
    upstream.most_bytes = kMiB;
    const auto arena = MakeArena(&upstream, Limited(limit));
    const std::string report = Complaint(*arena, 2 * kMiB);
    EXPECT_NE(report.find("(no site) asked for 2.00 MiB, and upstream failed"), std::string::npos)
        << report;
    EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
    EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
  }
}

TEST(ArenaLimit, LeavesNoTraceOfFailures) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Limited(10 * kMiB));
  for (int i = 0; i < 20; ++i) {
    const StepScope step(*arena);
    EXPECT_TRUE(Work(*arena, {3 * kMiB}));
    EXPECT_NE(Complaint(*arena, 11 * kMiB), "");
    EXPECT_TRUE(Work(*arena, {4 * kMiB}));
  }
  EXPECT_EQ(arena->Stats().allocator.num_allocs, 40);  // failures are none
  EXPECT_EQ(arena->Stats().hits, (20 - kStepsToPlan) * 2);
  EXPECT_EQ(arena->Stats().plan_height, static_cast<int64_t>(4 * kMiB));
  EXPECT_EQ(upstream.blocks, 0);
}

}  // namespace
}  // namespace plimsoll
