#include "allocators/planner_arena/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <memory_resource>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

void SmallStep(PlannerArena& arena) {
  const StepScope step(arena);
  void* const a = arena.Allocate(1000);
  void* const b = arena.Allocate(5000);
  arena.Free(a);
  void* const c = arena.Allocate(700);
  arena.Free(b);
  arena.Free(c);
}

TEST(PlannerArena, ServesSteadyStepsWithoutUpstream) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  // One passes, a first is recorded, two more are the same, and one shows what the last
  // of them left behind.
  for (int i = 0; i < 5; ++i) SmallStep(*arena);
  const int64_t before = upstream.allocs;
  EXPECT_EQ(before, 15);
  for (int i = 0; i < 10; ++i) SmallStep(*arena);
  EXPECT_EQ(upstream.allocs, before);
  const ArenaStats stats = arena->Stats();
  EXPECT_EQ(stats.hits, 30);
  EXPECT_EQ(stats.misses, 0);
  EXPECT_EQ(stats.planned_steps, 10);
  EXPECT_EQ(stats.allocator.num_allocs, 45);
  EXPECT_EQ(stats.allocator.bytes_in_use, 0);
  EXPECT_EQ(stats.allocator.peak_bytes_in_use, 6000);
  EXPECT_EQ(stats.allocator.largest_alloc_size, 5000);
  EXPECT_EQ(stats.plan_peak_live, 6000);
  EXPECT_EQ(stats.plan_height, 5056 + 1024);
}

TEST(PlannerArena, BlockThatOutlivesItsStepIsNeverOverlapped) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 6; ++i) SmallStep(*arena);
  void* kept = nullptr;
  {
    const StepScope step(*arena);
    kept = arena->Allocate(1000);
  }
  std::memset(kept, 7, 1000);
  for (int i = 0; i < 3; ++i) {
    const StepScope step(*arena);
    void* const a = arena->Allocate(1000);
    std::memset(a, i, 1000);
    arena->Free(a);
  }
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(static_cast<char*>(kept)[i], 7);
  EXPECT_EQ(arena->Stats().misses, 3);
  arena->Free(kept);
  const int64_t misses = arena->Stats().misses;
  SmallStep(*arena);
  EXPECT_EQ(arena->Stats().misses, misses);
  EXPECT_EQ(upstream.blocks, 0);
}

TEST(PlannerArena, PlansBlocksThatTheNextStepFrees) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  void* gradient = nullptr;
  const auto step = [&] {
    const StepScope scope(*arena);
    arena->Free(gradient);
    void* const activation = arena->Allocate(1 << 20);
    gradient = arena->Allocate(1 << 16);
    arena->Free(activation);
  };
  for (int i = 0; i < 7; ++i) step();
  const int64_t before = upstream.allocs;
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(upstream.allocs, before);
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().plan_height, (1 << 20) + (1 << 16));
  arena->Free(gradient);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

TEST(PlannerArena, OtherThreadsFree) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope step(*arena);
    void* const a = arena->Allocate(4096);
    std::thread([&] { arena->Free(a); }).join();
    void* const b = arena->Allocate(8192);
    arena->Free(b);
  }
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_GT(arena->Stats().hits, 0);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  EXPECT_EQ(upstream.blocks, 0);
}

TEST(PlannerArena, WorksInPmrContainers) {
  const auto arena = MakeArena(nullptr);
  for (int i = 0; i < 10; ++i) {
    const StepScope step(*arena);
    std::pmr::vector<int> numbers(arena.get());
    for (int n = 0; n < 1000; ++n) numbers.push_back(n);
    EXPECT_EQ(numbers[999], 999);
  }
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

TEST(PlannerArenaDeathTest, SecondFreeAborts) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 6; ++i) SmallStep(*arena);
  const StepScope step(*arena);
  void* const planned = arena->Allocate(1000);
  arena->Free(planned);
  EXPECT_DEATH(arena->Free(planned), "no live block of the arena begins there");
  EXPECT_DEATH(arena->Free(&upstream), "no live block of the arena begins there");
}

}  // namespace
}  // namespace plimsoll
