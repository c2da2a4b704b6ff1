// Where DeepRec takes steps to begin and end, and whose they are. Each test runs one
// check on the arena, which has to hold it, and on DeepRec's rule, which is shown not to.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "allocators/planner_arena/baselines/arena_step_memory.h"
#include "allocators/planner_arena/baselines/deeprec_baseline.h"
#include "allocators/planner_arena/baselines/step_script.h"

namespace plimsoll {
namespace {

const StepScript kScript = {{1, 40 * kKiB}, {2, 90 * kKiB}, {1}, {3, 50 * kKiB}, {3}, {2}};

// Weakness 4: work that is dispatched in a step and done later is not recorded.
TEST(DeepRecWeakness04, AsynchronousStepsEndAtDispatch) {
  ArenaStepMemory arena(QuickControls());
  const auto arena_steps = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      auto scope = std::make_unique<StepScope>(arena.arena());
      StepTicket ticket = scope->Ticket();
      scope.reset();  // dispatched
      std::thread([&, work = std::move(ticket)]() mutable {
        const StepScope part(std::exchange(work, {}));
        PlayBody(arena, kScript);
      }).join();
    }
  };
  arena_steps(kQuickSteps);
  const StepMemoryStats before = arena.Stats();
  arena_steps(10);
  EXPECT_EQ(arena.Stats().misses, before.misses);
  EXPECT_EQ(arena.Stats().hits, before.hits + 30);

  DeepRecBaseline deeprec(QuickControls());
  const auto deeprec_steps = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      deeprec.BeginStep();
      deeprec.EndStep();
      std::thread([&] { PlayBody(deeprec, kScript); }).join();
    }
  };
  deeprec_steps(kQuickSteps);
  EXPECT_TRUE(deeprec.installed());
  EXPECT_EQ(deeprec.pool_bytes(), 0);
  const int64_t misses = deeprec.Stats().misses;
  deeprec_steps(10);
  EXPECT_EQ(deeprec.Stats().misses, misses + 30);
}

// Weakness 5: a block that is freed after the step that asked for it is not planned.
TEST(DeepRecWeakness05, BlocksAliveAcrossTheWindowAreLost) {
  const auto misses_per_step = [](StepMemory& memory) {
    void* kept = nullptr;
    const auto step = [&] {
      memory.BeginStep();
      void* const activation = memory.allocate(200 * kKiB, 64);
      if (kept != nullptr) memory.deallocate(kept, 100 * kKiB, 64);
      kept = memory.allocate(100 * kKiB, 64);
      memory.deallocate(activation, 200 * kKiB, 64);
      memory.EndStep();
    };
    for (int i = 0; i < kQuickSteps; ++i) step();
    const int64_t before = memory.Stats().misses;
    for (int i = 0; i < 10; ++i) step();
    const int64_t misses = memory.Stats().misses - before;
    memory.deallocate(kept, 100 * kKiB, 64);
    return static_cast<double>(misses) / 10;
  };
  ArenaStepMemory arena(QuickControls());
  EXPECT_EQ(misses_per_step(arena), 0);
  DeepRecBaseline deeprec(QuickControls());
  EXPECT_EQ(misses_per_step(deeprec), 1);
}

// Weakness 6: the end of one session's step ends every session's.
TEST(DeepRecWeakness06, OneTimelineForEverySession) {
  // A step of the outer session with a whole step of the inner one in its midst.
  ArenaStepMemory arena(QuickControls());
  const StepScript inner = {{1, 70 * kKiB}, {1}};
  const auto arena_steps = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      const StepScope step(arena.arena(), {.session = "outer"});
      void* const block = arena.allocate(100 * kKiB, 64);
      std::thread([&] {
        const StepScope other(arena.arena(), {.session = "inner"});
        PlayBody(arena, inner);
      }).join();
      arena.deallocate(block, 100 * kKiB, 64);
    }
  };
  arena_steps(kQuickSteps);
  const StepMemoryStats before = arena.Stats();
  arena_steps(10);
  EXPECT_EQ(arena.Stats().misses, before.misses);
  EXPECT_EQ(arena.Stats().hits, before.hits + 20);
  EXPECT_EQ(arena.arena().Stats().plans, 2);

  DeepRecBaseline deeprec(QuickControls());
  const auto deeprec_steps = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      deeprec.BeginStep();
      void* const block = deeprec.allocate(100 * kKiB, 64);
      Play(deeprec, inner);
      deeprec.deallocate(block, 100 * kKiB, 64);
      deeprec.EndStep();
    }
  };
  deeprec_steps(kQuickSteps);
  EXPECT_TRUE(deeprec.installed());
  const int64_t misses = deeprec.Stats().misses;
  deeprec_steps(10);
  EXPECT_EQ(deeprec.Stats().misses, misses + 10);  // the outer session's
}

// Weakness 7: of several instances the last one made is planned.
TEST(DeepRecWeakness07, OnlyTheLastInstanceIsPlanned) {
  const auto misses = [](StepMemory& first, StepMemory& last) {
    for (int i = 0; i < kQuickSteps; ++i) {
      Play(first, kScript);
      Play(last, kScript);
    }
    return std::pair(PlayAndCount(first, kScript, 10).misses,
                     PlayAndCount(last, kScript, 10).misses);
  };
  ArenaStepMemory arena(QuickControls());
  ArenaStepMemory last_arena(QuickControls());
  EXPECT_EQ(misses(arena, last_arena), (std::pair<int64_t, int64_t>(0, 0)));
  DeepRecBaseline deeprec(QuickControls());
  DeepRecBaseline last_deeprec(QuickControls());
  EXPECT_EQ(misses(deeprec, last_deeprec), (std::pair<int64_t, int64_t>(30, 0)));
}

}  // namespace
}  // namespace plimsoll
