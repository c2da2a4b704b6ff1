// Steps that are not quite those that were recorded: requests and threads in another
// order, one more, one fewer.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_sites.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

TEST(ArenaReordering, OrderOfRequestsMayChange) {
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

TEST(ArenaReordering, WorkMayMoveBetweenThreads) {
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
TEST(ArenaReordering, OneChangeCostsFewMisses) {
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
TEST(ArenaReordering, ThreadsMayMeetAsTheyLike) {
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

// The same in steps of which no two are alike.
TEST(ArenaReordering, ThreadsMayMeetInStepsThatNeverRepeat) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.max_statistic_step = 3;
  const auto arena = MakeArena(&upstream, configuration);
  int steps = 0;
  const auto step = [&](bool at_once) {
    ++steps;
    const StepScope scope(*arena);
    const StepTicket ticket = scope.Ticket();
    std::atomic<int> turn{0};
    const auto ask = [&](size_t size, std::vector<void*>& blocks) {
      for (size_t i = 1; i <= 20; ++i) blocks.push_back(arena->Allocate(size + i * 100));
    };
    std::thread first([&] {
      const StepScope part(ticket);
      std::vector<void*> blocks;
      ask(10000, blocks);
      // One request more than the last time.
      for (int i = 0; i < steps; ++i) EXPECT_TRUE(Work(*arena, {64}));
      for (void* block : blocks) {
        if (!at_once) arena->Free(block);
      }
      turn = 1;
      while (turn != 2) std::this_thread::yield();
      for (void* block : blocks) {
        if (at_once) arena->Free(block);
      }
    });
    std::thread second([&] {
      while (turn != 1) std::this_thread::yield();
      const StepScope part(ticket);
      std::vector<void*> blocks;
      ask(20000, blocks);
      for (void* block : blocks) arena->Free(block);
      turn = 2;
    });
    first.join();
    second.join();
  };
  for (int i = 0; i < 8; ++i) step(false);
  EXPECT_EQ(arena->Stats().plans, 1);
  for (int i = 0; i < 30; ++i) step(true);
  // Of the second thread: between 16 and 32 KiB.
  const auto misses_of_large = [&] {
    const auto snapshot = nlohmann::json::parse(arena->SnapshotJson());
    for (const auto& size_class : snapshot["timelines"][0]["size_classes"]) {
      if (size_class["below_bytes"] == 32768) return size_class["misses"].get<int64_t>();
    }
    return int64_t{-1};
  };
  const int64_t before = misses_of_large();
  EXPECT_GT(before, 0);  // the order was new, at first
  for (int i = 0; i < 20; ++i) step(i % 2 == 0);
  EXPECT_EQ(misses_of_large(), before);
}

// Lifetimes on a common clock are long when now one thread is ahead and now the other. A
// plan with a part for each thread is lower then.
TEST(ArenaReordering, ThreadsThatOvertakeEachOtherCostNoMemory) {
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

// A thousand of one size behind as many of another; then they come first. On one thread, and
// on eight that change places.
TEST(ArenaReordering, ManyRequestsOfOneSizeMayMove) {
  CountingUpstream upstream;
  for (const size_t threads : {1, 8}) {
    const auto arena = MakeArena(&upstream);
    const size_t each = 1000 / threads;
    const auto step = [&](bool swapped, size_t shift) {
      const StepScope scope(*arena);
      const StepTicket ticket = scope.Ticket();
      std::atomic<size_t> turn{0};
      std::vector<std::thread> workers;
      for (size_t t = 0; t < threads; ++t) {
        workers.emplace_back([&, t] {
          while (turn != t) std::this_thread::yield();
          const StepScope part(ticket);
          std::vector<void*> blocks;
          for (const bool second : {swapped, !swapped}) {
            // The parts are of unequal length, so requests move to other threads.
            const size_t count = each + ((t + shift) % threads) * 2;
            for (size_t i = 0; i < count; ++i)
              blocks.push_back(arena->Allocate(second ? 200 : 100));
          }
          ++turn;
          while (turn != threads + t) std::this_thread::yield();
          for (void* block : blocks) arena->Free(block);
          ++turn;
        });
      }
      for (std::thread& worker : workers) worker.join();
    };
    for (int i = 0; i < 8; ++i) step(false, 0);
    const Since since(*arena);
    step(true, 0);
    step(true, 1);
    step(false, threads / 2);
    EXPECT_EQ(since.misses(), 0) << threads;
    EXPECT_GE(since.hits(), 6000) << threads;
  }
}

// Two sites ask for one size, one for long and one for short; they may change places.
TEST(ArenaReordering, SitesTellRequestsOfOneSizeApart) {
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

}  // namespace
}  // namespace plimsoll
