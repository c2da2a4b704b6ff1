// The process has no memory, or no thread, left for what the arena keeps of itself: a
// request or the beginning of a step may fail, and nothing else may happen.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <nlohmann/json.hpp>
#include <semaphore>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_testing.h"
#include "allocators/planner_arena/planner/greedy.h"

namespace {

// This thread's requests to operator new until one fails; 0: none does. Some do not count.
constinit thread_local int64_t t_left = 0;
constinit thread_local bool t_spared = false;

void* New(size_t bytes, size_t alignment) {
  if (t_left > 0 && !t_spared && --t_left == 0) throw std::bad_alloc();
  void* const block = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(size_t bytes) { return New(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return New(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { std::free(block); }

namespace plimsoll {
namespace {

using namespace arena_testing;

// Steps of two shapes, one of them with many requests, and a block that lives on. Returns
// how many requests, or steps, failed.
int RunSteps(PlannerArena& arena, int steps, bool spare_requests = false) {
  int failures = 0;
  void* carried = nullptr;
  const auto step = [&](int i) {
    const StepScope scope(arena);
    t_spared = spare_requests;
    void* blocks[40] = {};
    const size_t unit = i % 8 < 5 ? 500 : 700;
    for (size_t b = 0; b < (i % 8 < 5 ? 40 : 20); ++b) {
      try {
        blocks[b] = arena.Allocate(unit * (b % 7 + 1));
        std::memset(blocks[b], i, unit);
      } catch (const std::bad_alloc&) {
        ++failures;
      }
      if (b == 5) arena.Free(std::exchange(carried, nullptr));
      // Every third is passed over in some steps: who follows in its bytes has to see to it.
      if (b % 3 == 0) arena.Free(std::exchange(blocks[b], nullptr));
    }
    for (void* block : blocks) {
      if (carried == nullptr) {
        carried = block;
      } else {
        arena.Free(block);
      }
    }
    t_spared = false;
  };
  for (int i = 0; i < steps; ++i) {
    try {
      step(i);
    } catch (const std::bad_alloc&) {
      ++failures;
    }
  }
  arena.Free(carried);
  return failures;
}

// With one failure at the k-th request for memory, for many k; all of them when only the
// steps' beginnings and ends count, where the arena learns.
class ArenaNoMemory : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Requests, ArenaNoMemory, testing::Bool(), [](const auto& spared) {
  return std::string(spared.param ? "Spared" : "Counted");
});

TEST_P(ArenaNoMemory, AtEveryRequestForIt) {
  CountingUpstream upstream;
  int64_t k = 1;
  for (bool blew = true; blew && k < 6000; k += GetParam() ? 1 : 1 + k / 50) {
    SCOPED_TRACE("request " + std::to_string(k));
    const auto arena = MakeArena(&upstream);
    t_left = k;
    const int failures = RunSteps(*arena, 24, GetParam());
    blew = t_left == 0;
    t_left = 0;
    EXPECT_LE(failures, 1);
    // It is as good as new: the step has ended, and is learnt from again.
    EXPECT_EQ(RunSteps(*arena, 80), 0);
    const Since since(*arena);
    EXPECT_EQ(RunSteps(*arena, 16), 0);
    EXPECT_EQ(since.planned_steps(), 16);
    EXPECT_GT(since.hits(), 400);
    // No step was left open, beside which others would have to run.
    EXPECT_EQ(nlohmann::json::parse(arena->SnapshotJson())["timelines"].size(), 1u);
    EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
    EXPECT_EQ(upstream.blocks, 0);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(k, 100);
}

// A slot's predecessors are walked when they were not asked for, with nothing to spare.
TEST(ArenaNoMemoryLeft, RequestsThatSkipOthersNeedNone) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<size_t> sizes = {1000, 2000, 3000, 4000, 100000};
  for (int i = 0; i < 8; ++i) {
    const StepScope step(*arena);
    for (size_t size : sizes) arena->Free(arena->Allocate(size));
  }
  const Since since(*arena);
  const StepScope step(*arena);
  arena->Free(arena->Allocate(1000));
  t_left = 1;
  void* const block = arena->Allocate(100000);
  const bool asked = t_left == 0;
  t_left = 0;
  EXPECT_FALSE(asked);
  EXPECT_EQ(since.hits(), 2);
  arena->Free(block);
}

std::thread NoThread(std::function<void()>) {
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
}

TEST(ArenaNoThread, TheStepThatEndsPlans) {
  CountingUpstream upstream;
  PlannerArena::Parts parts;
  parts.upstream = &upstream;
  parts.start_thread = NoThread;
  ArenaConfiguration configuration = Quick();
  configuration.plan_in_background = true;
  const auto arena = PlannerArena::Create(configuration, parts).value();
  Steps(*arena, kStepsToPlan, {1000, 5000});
  const Since since(*arena);
  Steps(*arena, 3, {1000, 5000});
  EXPECT_EQ(since.hits(), 6);
  // And what changes is planned again.
  Steps(*arena, 40, {3000, 7000, 900});
  EXPECT_GT(since.hits(), 60);
}

TEST(ArenaNoThread, DecayIsTriedAgainInTheNextPause) {
  CountingUpstream upstream;
  int refusals = 2;
  PlannerArena::Parts parts;
  parts.upstream = &upstream;
  std::binary_semaphore trimmed{0};
  parts.trim_upstream = [&] { trimmed.release(); };
  parts.start_thread = [&](std::function<void()> run) {
    return --refusals >= 0 ? NoThread(run) : std::thread(std::move(run));
  };
  ArenaConfiguration configuration = Quick();
  configuration.decay_ms = 1;
  configuration.start_statistic_step = 1000;
  const auto arena = PlannerArena::Create(configuration, parts).value();
  Steps(*arena, 2, {1000});
  EXPECT_EQ(refusals, 0);
  Step(*arena, {1000});
  ASSERT_EQ(refusals, -1);
  trimmed.acquire();
}

// Two wait for one plan: neither returns before it is made.
TEST(ArenaNoThread, AllWhoWaitForAPlanSeeIt) {
  CountingUpstream upstream;
  std::binary_semaphore begin{0};
  std::atomic<bool> made{false};
  PlannerArena::Parts parts;
  parts.upstream = &upstream;
  parts.planner = [&](const std::vector<Buffer>& buffers, double) {
    begin.acquire();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    made = true;
    return GreedyBySize(buffers);
  };
  ArenaConfiguration configuration = Quick();
  configuration.plan_in_background = true;
  const auto arena = PlannerArena::Create(configuration, parts).value();
  Steps(*arena, kStepsToPlan, {1000, 5000});
  std::atomic<int> early{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      arena->WaitForPlan();
      if (!made) ++early;
    });
  }
  begin.release();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(early, 0);
  Step(*arena, {1000, 5000});
  EXPECT_EQ(arena->Stats().hits, 2);
}

}  // namespace
}  // namespace plimsoll
