// Which requests a plan serves, and what becomes of the others.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_sites.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

TEST(ArenaServing, OrderOfRequestsMayChange) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::vector<size_t> sizes;
  for (size_t i = 1; i <= 40; ++i) sizes.push_back(1000 * (i % 10 + 1));
  Steps(*arena, 8, sizes);
  const Since since(*arena);
  std::mt19937 random(3);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(sizes.begin(), sizes.end(), random);
    EXPECT_TRUE(Step(*arena, sizes));
  }
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 800);
}

TEST(ArenaServing, WorkMayMoveBetweenThreads) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<std::vector<size_t>> parts = {{1000, 9000, 40000}, {2000, 9000}, {70000}};
  const auto step = [&](const std::vector<size_t>& order) {
    const StepScope scope(*arena);
    const StepTicket ticket = scope.Ticket();
    std::vector<std::thread> threads;
    for (size_t part : order) {
      threads.emplace_back([&, part] {
        const StepScope mine(ticket);
        EXPECT_TRUE(Work(*arena, parts[part]));
      });
      threads.back().join();
    }
  };
  // Threads one after another share a lane; keep each alive to have three.
  const auto parallel_step = [&](const std::vector<size_t>& order) {
    const StepScope scope(*arena);
    const StepTicket ticket = scope.Ticket();
    std::vector<std::thread> threads;
    std::atomic<size_t> turn{0};
    for (size_t t = 0; t < order.size(); ++t) {
      threads.emplace_back([&, t] {
        const StepScope mine(ticket);
        while (turn != t) std::this_thread::yield();
        std::vector<void*> blocks;
        for (size_t size : parts[order[t]]) blocks.push_back(arena->Allocate(size));
        ++turn;
        while (turn != order.size()) std::this_thread::yield();
        for (void* block : blocks) arena->Free(block);
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  for (int i = 0; i < 12; ++i) parallel_step({0, 1, 2});
  const Since since(*arena);
  for (int i = 0; i < 3; ++i) {
    parallel_step({2, 0, 1});
    parallel_step({1, 2, 0});
    parallel_step({2, 1, 0});
  }
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 9 * 6);
  step({0, 1, 2});  // and all on one lane
  EXPECT_EQ(since.misses(), 0);
}

// Blocks of many sizes, each freed a few requests after its own.
struct ScriptedRequest {
  size_t bytes = 0;
  size_t life = 0;
};

int64_t MissesOf(PlannerArena& arena, const std::vector<ScriptedRequest>& script) {
  const Since since(arena);
  const StepScope step(arena);
  std::vector<std::vector<void*>> due(script.size());
  for (size_t i = 0; i < script.size(); ++i) {
    void* const block = arena.Allocate(script[i].bytes);
    due[std::min(i + script[i].life, script.size() - 1)].push_back(block);
    for (void* dead : due[i]) arena.Free(dead);
  }
  return since.misses();
}

// A request more, fewer, of another size or in another place: the others are served.
TEST(ArenaServing, OneChangeCostsFewMisses) {
  std::mt19937 random(5);
  std::vector<ScriptedRequest> script;
  for (int i = 0; i < 500; ++i) {
    script.push_back({1 + random() % (random() % 8 == 0 ? 16384u : 1024u), random() % 8});
  }
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 8; ++i) MissesOf(*arena, script);
  for (std::ptrdiff_t at : {20, 100, 250, 400}) {
    const auto here = script.begin() + at;
    auto fewer = script;
    fewer.erase(fewer.begin() + at);
    EXPECT_LE(MissesOf(*arena, fewer), 5) << at;
    auto more = script;
    more.insert(more.begin() + at, *here);
    EXPECT_LE(MissesOf(*arena, more), 5) << at;
    auto other = script;
    other[static_cast<size_t>(at)].bytes = 3333;
    EXPECT_LE(MissesOf(*arena, other), 5) << at;
    auto swapped = script;
    std::swap(swapped[static_cast<size_t>(at)], swapped[static_cast<size_t>(at) + 1]);
    EXPECT_LE(MissesOf(*arena, swapped), 5) << at;
  }
  EXPECT_LE(MissesOf(*arena, script), 5);
}

// Two threads that keep no order: one after the other when recorded, at once later.
TEST(ArenaServing, ThreadsMayMeetAsTheyLike) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<size_t> sizes = {10000, 20000, 30000};
  const auto step = [&](bool at_once) {
    const StepScope scope(*arena);
    const StepTicket ticket = scope.Ticket();
    std::atomic<int> turn{0};
    std::thread first([&] {
      const StepScope part(ticket);
      std::vector<void*> blocks;
      for (size_t size : sizes) blocks.push_back(arena->Allocate(size));
      if (!at_once) {
        for (void* block : blocks) arena->Free(block);
      }
      turn = 1;
      while (turn != 2) std::this_thread::yield();
      if (at_once) {
        for (void* block : blocks) arena->Free(block);
      }
    });
    std::thread second([&] {
      while (turn != 1) std::this_thread::yield();
      const StepScope part(ticket);
      std::vector<void*> blocks;
      for (size_t size : sizes) blocks.push_back(arena->Allocate(size + 1000));
      for (void* block : blocks) arena->Free(block);
      turn = 2;
    });
    first.join();
    second.join();
  };
  for (int i = 0; i < 10; ++i) step(false);
  const int64_t height = arena->Stats().plan_height;
  EXPECT_LT(height, 70000);  // they share their bytes
  for (int i = 0; i < 10; ++i) step(i % 2 == 0);
  const Since since(*arena);
  for (int i = 0; i < 20; ++i) step(i % 3 == 0);
  EXPECT_EQ(since.misses(), 0);
  EXPECT_LT(arena->Stats().plan_height, 2 * 70000);
}

// Lifetimes on a common clock are long when now one thread is ahead and now the other. A
// plan with a part for each thread is lower then.
TEST(ArenaServing, ThreadsThatOvertakeEachOtherCostNoMemory) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const auto step = [&](bool first_ahead) {
    const StepScope scope(*arena);
    const StepTicket ticket = scope.Ticket();
    std::atomic<int> turn{0};
    const auto wait_for = [&](int number) {
      while (turn != number) std::this_thread::yield();
    };
    const auto work = [&](size_t size) {
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(Work(*arena, {size}));
      ++turn;
    };
    std::thread first([&] {
      const StepScope part(ticket);
      EXPECT_TRUE(Work(*arena, {64}));  // to have the first place
      turn = 1;
      wait_for(first_ahead ? 2 : 3);
      work(10000);
    });
    std::thread second([&] {
      wait_for(1);
      const StepScope part(ticket);
      EXPECT_TRUE(Work(*arena, {64}));
      turn = 2;
      wait_for(first_ahead ? 3 : 2);
      work(20000);
    });
    first.join();
    second.join();
  };
  for (int i = 0; i < 20; ++i) step(i % 2 == 0);
  const Since since(*arena);
  for (int i = 0; i < 10; ++i) step(i % 3 == 0);
  EXPECT_EQ(since.misses(), 0);
  EXPECT_LE(arena->Stats().plan_height, 31000);
}

// Two sites ask for one size, one for long and one for short; they may change places.
TEST(ArenaServing, SitesTellRequestsOfOneSizeApart) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const auto step = [&](bool long_first) {
    const StepScope scope(*arena);
    const auto ask = [&](const char* site) {
      const SiteScope named(site);
      return arena->Allocate(100000);
    };
    void* whole = nullptr;
    void* brief = nullptr;
    if (long_first) whole = ask("long");
    brief = ask("short");
    if (!long_first) whole = ask("long");
    arena->Free(brief);
    for (int i = 0; i < 5; ++i) arena->Free(ask("short"));
    arena->Free(whole);
  };
  for (int i = 0; i < 8; ++i) step(true);
  EXPECT_EQ(arena->Stats().plan_height, 2 * 100032);
  const Since since(*arena);
  for (int i = 0; i < 8; ++i) step(i % 2 == 0);
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 8 * 7);
}

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
  // All but the one beyond 2 MiB.
  EXPECT_EQ(arena->Stats().hits, (10 - kStepsToPlan) * 22);
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
