// Which requests a plan serves, and what becomes of the others.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

TEST(ArenaServing, SizesWithinAGranuleAreTheSame) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Steps(*arena, 8, {1000});  // up to 1024
  const Since since(*arena);
  for (size_t size : {961, 1000, 1023, 1024}) EXPECT_TRUE(Step(*arena, {size}));
  EXPECT_EQ(since.misses(), 0);
}

TEST(ArenaServing, MissesGoUpstreamAndAreCountedBySizeClass) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Steps(*arena, 8, {100, 1000, 100000});
  const int64_t allocs = upstream.allocs;
  const Since since(*arena);
  // Two more of 1000 and one more of 100000 than planned, in the one step.
  EXPECT_TRUE(Step(*arena, {100, 1000, 100000, 1000, 1000, 100000}));
  EXPECT_EQ(since.hits(), 3);
  EXPECT_EQ(since.misses(), 3);
  EXPECT_EQ(upstream.allocs, allocs + 3);
  const auto classes = nlohmann::json::parse(arena->SnapshotJson())["timelines"][0]["size_classes"];
  ASSERT_EQ(classes.size(), 3u);
  // Of 2, 16 and 1563 granules: at least a half of, and below, these.
  EXPECT_EQ(classes[0]["below_bytes"], 4 * 64);
  EXPECT_EQ(classes[0]["hits"], 4);
  EXPECT_EQ(classes[0]["misses"], 0);
  EXPECT_EQ(classes[1]["below_bytes"], 32 * 64);
  EXPECT_EQ(classes[1]["hits"], 4);
  EXPECT_EQ(classes[1]["misses"], 2);
  EXPECT_EQ(classes[2]["below_bytes"], 2048 * 64);
  EXPECT_EQ(classes[2]["hits"], 4);
  EXPECT_EQ(classes[2]["misses"], 1);
}

TEST(ArenaServing, BlocksForManyStepsAreLeftToUpstream) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::vector<void*> kept;
  for (int i = 0; i < 10; ++i) {
    const StepScope step(*arena);
    kept.push_back(arena->Allocate(5000));
    if (kept.size() > 3) {
      arena->Free(kept.front());
      kept.erase(kept.begin());
    }
    EXPECT_TRUE(Work(*arena, {1000}));
  }
  EXPECT_EQ(arena->Stats().unplanned, 10 - kStepsToPlan);
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().plan_height, 1024);
  for (void* block : kept) arena->Free(block);
  EXPECT_EQ(upstream.blocks, 0);
}

// One block of a plan is kept over a hundred steps of the same plan, then freed by a
// thread that has never allocated.
TEST(ArenaServing, BlockOutlivesItsStepAndIsFreedByAnotherThread) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<size_t> sizes = {1000, 5000, 70000};
  Steps(*arena, 8, sizes);
  std::vector<unsigned char*> kept;
  {
    const StepScope step(*arena);
    for (size_t size : sizes) {
      kept.push_back(static_cast<unsigned char*>(arena->Allocate(size)));
      std::memset(kept.back(), 0xA5, size);
    }
  }
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 100, sizes));
  EXPECT_GT(since.misses(), 0);  // its bytes are not to be had
  for (size_t b = 0; b < kept.size(); ++b) {
    EXPECT_TRUE(AllBytesAre(kept[b], sizes[b], 0xA5));
  }
  std::thread([&] {
    for (unsigned char* block : kept) arena->Free(block);
  }).join();
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  const Since after(*arena);
  EXPECT_TRUE(Steps(*arena, 3, sizes));
  EXPECT_EQ(after.misses(), 0);
}

TEST(ArenaServing, BlocksMayBeFreedBetweenSteps) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 12; ++i) {
    void* block = nullptr;
    {
      const StepScope step(*arena);
      block = arena->Allocate(70000);
      EXPECT_TRUE(Work(*arena, {1000}));
    }
    arena->Free(block);
  }
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().hits, (12 - kStepsToPlan) * 2);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

TEST(ArenaServing, UpstreamBlocksOutliveTheArena) {
  CountingUpstream upstream;
  unsigned char* block = nullptr;
  {
    const auto arena = MakeArena(&upstream);
    block = static_cast<unsigned char*>(arena->Allocate(5000));
    std::memset(block, 7, 5000);
  }
  EXPECT_EQ(upstream.blocks, 1);
  EXPECT_EQ(block[4999], 7);
  upstream.deallocate(block, 5000, 64);
}

TEST(ArenaServing, AlignsAsAsked) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope step(*arena);
    std::vector<void*> blocks;
    for (size_t alignment = 1; alignment <= size_t{4} << 20; alignment *= 2) {
      void* const block = arena->Allocate(alignment * 3 % 1000 + 1, alignment);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % std::max<size_t>(alignment, 64), 0u);
      blocks.push_back(block);
    }
    for (void* block : blocks) arena->Free(block);
  }
  EXPECT_EQ(arena->Stats().misses, 0);
  // All but the one beyond 2 MiB, which no plan can serve.
  EXPECT_EQ(arena->Stats().hits, (10 - kStepsToPlan) * 22);
  EXPECT_EQ(arena->Stats().unplanned, 10 - kStepsToPlan);
  EXPECT_EQ(arena->Stats().outside, kStepsToPlan * 23);
}

TEST(ArenaServing, NoBytesIsABlockToo) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope step(*arena);
    void* const a = arena->Allocate(0);
    void* const b = arena->Allocate(0);
    EXPECT_NE(a, nullptr);
    EXPECT_NE(a, b);
    arena->Free(a);
    arena->Free(b);
  }
  arena->Free(nullptr);
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

// In every phase: such a request fails, and costs nothing else.
TEST(ArenaServing, RequestsBeyondAllMemoryFail) {
  CountingUpstream upstream;
  upstream.most_bytes = int64_t{1} << 40;
  const auto arena = MakeArena(&upstream);
  void* const block = arena->Allocate(100);
  const std::vector<size_t> sizes = {size_t{1} << 41,
                                     (size_t{1} << 38) + 64,
                                     (size_t{1} << 62) + 1,
                                     static_cast<size_t>(PTRDIFF_MAX),
                                     static_cast<size_t>(PTRDIFF_MAX) + 1,
                                     SIZE_MAX - 63,
                                     SIZE_MAX};
  for (int i = 0; i < 15; ++i) {
    const StepScope step(*arena);
    EXPECT_TRUE(Work(*arena, {1000, 70000}));
    for (size_t size : sizes) {
      // One of them is small enough for this upstream's limit, but not for the machine.
      if (size < size_t{1} << 40) upstream.most_bytes = int64_t{1} << 20;
      EXPECT_THROW(arena->Allocate(size), ArenaOutOfMemory) << size;
    }
    EXPECT_TRUE(Work(*arena, {2000}));
  }
  EXPECT_EQ(arena->Stats().hits, (15 - kStepsToPlan) * 3);
  EXPECT_EQ(arena->Stats().plan_height, 71040);
  // In no step were they outside of it.
  EXPECT_EQ(arena->Stats().outside, 1 + kStepsToPlan * (3 + static_cast<int64_t>(sizes.size())));
  arena->Free(block);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  EXPECT_EQ(upstream.blocks, 0);
}

// A lifetime beyond what offsets can name does not keep the others from being served.
TEST(ArenaServing, WhatIsTallerThanTheReservationIsLeftToUpstream) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.reserve_bytes = 1 << 20;
  const auto arena = MakeArena(&upstream, configuration);
  // 700000 bytes are planned first, at the bottom; two such do not fit.
  const std::vector<size_t> sizes = {700000, 700000, 1000, 5 << 20};
  Steps(*arena, 8, sizes);
  const Since since(*arena);
  EXPECT_TRUE(Step(*arena, sizes));
  EXPECT_EQ(since.hits(), 1);
  EXPECT_EQ(since.unplanned(), 1);  // larger than the whole reservation
  EXPECT_EQ(since.misses(), 2);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

}  // namespace
}  // namespace plimsoll
