// What DeepRec's plans cost and what they do not see. Each test runs one check on the
// arena, which has to hold it, and on DeepRec's rule, which is shown not to.

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "allocators/planner_arena/baselines/arena_step_memory.h"
#include "allocators/planner_arena/baselines/deeprec_baseline.h"
#include "allocators/planner_arena/baselines/step_script.h"
#include "allocators/planner_arena/planner/greedy.h"

namespace plimsoll {
namespace {

// Weakness 1: chunks of bins are not cut up, so the pool is larger than what is live.
TEST(DeepRecWeakness01, PeakAboveLive) {
  // One block, and after it two that would fit into its bytes.
  const StepScript script = {{1, kMiB}, {1}, {2, kMiB / 2}, {3, kMiB / 2}, {2}, {3}};
  const auto held_over_live = [&](StepMemory& memory) {
    Play(memory, script, kQuickSteps);
    return static_cast<double>(PlayAndCount(memory, script, 3).held_bytes) / kMiB;
  };
  ArenaStepMemory arena(QuickControls());
  EXPECT_LE(held_over_live(arena), 1.02);
  DeepRecBaseline deeprec(QuickControls());
  EXPECT_GE(held_over_live(deeprec), 1.5);
}

// Weakness 2: one plan for ever.
TEST(DeepRecWeakness02, NewShapesAndGraphsMissForEver) {
  const StepScript first = {{1, 100 * kKiB}, {2, 50 * kKiB}, {1}, {2}};
  const StepScript longer = {{1, 130 * kKiB}, {2, 70 * kKiB}, {1}, {2}};
  const StepScript other_graph = {
      {1, 300 * kKiB}, {2, 80 * kKiB}, {3, 90 * kKiB}, {1}, {4, 200 * kKiB}, {4}, {3}, {2}};
  const auto misses_of_each = [&](StepMemory& memory) {
    std::vector<int64_t> misses;
    for (const StepScript& script : {first, longer, other_graph}) {
      Play(memory, script, kQuickSteps);
      misses.push_back(PlayAndCount(memory, script, 10).misses);
    }
    return misses;
  };
  ArenaStepMemory arena(QuickControls());
  EXPECT_EQ(misses_of_each(arena), (std::vector<int64_t>{0, 0, 0}));
  DeepRecBaseline deeprec(QuickControls());
  EXPECT_EQ(misses_of_each(deeprec), (std::vector<int64_t>{0, 20, 40}));
}

// Weakness 3: the pool is held to the end of the process, whatever else needs memory.
TEST(DeepRecWeakness03, MemoryIsNeverReturnedAndHasNoBudget) {
  const StepScript large = {{1, 64 * kMiB}, {1}};
  ArenaConfiguration configuration = QuickControls();
  configuration.decay_ms = 0;
  configuration.limit_bytes = 80 * kMiB;
  const auto held_in_a_pause = [&](StepMemory& memory) {
    Play(memory, large, kQuickSteps);
    return memory.Stats().held_bytes;
  };
  const auto exceeds_the_limit = [&](StepMemory& memory) {
    memory.BeginStep();
    std::vector<void*> blocks;
    try {
      for (int i = 0; i < 2; ++i) blocks.push_back(memory.allocate(64 * kMiB, 64));
    } catch (const std::bad_alloc&) {
    }
    for (void* block : blocks) memory.deallocate(block, 64 * kMiB, 64);
    memory.EndStep();
    return memory.Stats().most_held_bytes > static_cast<int64_t>(configuration.limit_bytes);
  };
  ArenaStepMemory arena(configuration);
  EXPECT_EQ(held_in_a_pause(arena), 0);
  EXPECT_FALSE(exceeds_the_limit(arena));
  DeepRecBaseline deeprec(configuration);
  EXPECT_GE(held_in_a_pause(deeprec), static_cast<int64_t>(64 * kMiB));
  EXPECT_TRUE(exceeds_the_limit(deeprec));
}

// Weakness 8: any request of a bin may take any of its chunks, so one that is planned
// for later finds its own taken, although the pool is large enough.
TEST(DeepRecWeakness08, PlanIsNotEnforcedInTime) {
  const StepScript script = {
      {1, 40 * kKiB}, {2, 40 * kKiB}, {1}, {3, 100 * kKiB}, {3}, {4, 100 * kKiB}, {4}, {2}};
  ArenaConfiguration configuration = QuickControls();
  configuration.max_statistic_step = 1;
  const auto misses_per_step = [&](StepMemory& memory) {
    Play(memory, script, kQuickSteps);
    return PlayAndCount(memory, script, 10).misses / 10;
  };
  ArenaStepMemory arena(configuration);
  EXPECT_EQ(misses_per_step(arena), 0);
  EXPECT_EQ(arena.arena().Stats().plan_height, static_cast<int64_t>(140 * kKiB));
  DeepRecBaseline deeprec(configuration);
  EXPECT_EQ(misses_per_step(deeprec), 2);
  EXPECT_GE(deeprec.pool_bytes(), static_cast<int64_t>(140 * kKiB));
}

// What a planner was asked to do.
struct PlanningWork {
  int64_t calls = 0;
  size_t buffers = 0;
  double seconds = 0;
  std::thread::id thread;
};

std::unique_ptr<PlannerArena> WatchedArena(const ArenaConfiguration& configuration,
                                           PlanningWork& work) {
  PlannerArena::Parts parts;
  parts.planner = [&work](const std::vector<Buffer>& buffers, double seconds) {
    ++work.calls;
    work.buffers += buffers.size();
    work.seconds = seconds;
    work.thread = std::this_thread::get_id();
    return GreedyBySize(buffers);
  };
  return PlannerArena::Create(configuration, parts).value();
}

// Records exactly `steps` steps.
ArenaConfiguration Recording(int64_t steps) {
  ArenaConfiguration configuration = QuickControls();
  configuration.start_statistic_step = 0;
  configuration.stable_statistic_step = 1000;
  configuration.max_statistic_step = steps;
  return configuration;
}

const StepScript kFourBlocks = {
    {1, 40 * kKiB}, {2, 40 * kKiB}, {1}, {3, 50 * kKiB}, {2}, {4, 90 * kKiB}, {4}, {3}};

void PlayOn(PlannerArena& arena, int64_t steps) {
  for (int64_t i = 0; i < steps; ++i) {
    const StepScope step(arena);
    PlayBody(arena, kFourBlocks);
  }
}

// Weakness 9: each recorded step is compared with all before it.
TEST(DeepRecWeakness09, PlanningCostGrowsFasterThanHistory) {
  const auto deeprec_work = [](int64_t steps) {
    DeepRecBaseline deeprec(Recording(steps));
    Play(deeprec, kFourBlocks, static_cast<int>(steps));
    EXPECT_TRUE(deeprec.installed());
    return deeprec.comparisons();
  };
  EXPECT_GT(deeprec_work(100), 50 * deeprec_work(10));
  const auto arena_work = [](int64_t steps) {
    PlanningWork work;
    const auto arena = WatchedArena(Recording(steps), work);
    PlayOn(*arena, steps + 2);  // one to complete the last profile, one to serve
    EXPECT_EQ(arena->Stats().planned_steps, 1);
    EXPECT_EQ(arena->Stats().recorded_steps, steps);
    EXPECT_EQ(work.calls, 1);
    return work.buffers;
  };
  EXPECT_EQ(arena_work(10), 4u);
  EXPECT_EQ(arena_work(100), 4u);
}

// Weakness 10: the later the step, the more its end costs the program.
TEST(DeepRecWeakness10, EachStepCostsMoreThanTheOneBefore) {
  DeepRecBaseline deeprec(Recording(100));
  std::vector<int64_t> work;
  for (int i = 0; i < 100; ++i) {
    const int64_t before = deeprec.comparisons();
    Play(deeprec, kFourBlocks);
    work.push_back(deeprec.comparisons() - before);
  }
  EXPECT_GT(work[99], 8 * work[9]);
  // The arena plans nothing while it records, and then on a thread of its own, within
  // the time it is given.
  ArenaConfiguration configuration = Recording(100);
  configuration.plan_in_background = true;
  configuration.plan_seconds = 0.25;
  PlanningWork arena_work;
  const auto arena = WatchedArena(configuration, arena_work);
  PlayOn(*arena, 100);
  EXPECT_EQ(arena_work.calls, 0);
  PlayOn(*arena, 1);
  arena->WaitForPlan();
  EXPECT_EQ(arena_work.calls, 1);
  EXPECT_EQ(arena_work.seconds, 0.25);
  EXPECT_NE(arena_work.thread, std::this_thread::get_id());
  PlayOn(*arena, 1);
  EXPECT_EQ(arena->Stats().planned_steps, 1);
}

// Weakness 11: with its header a power of two is a little more than one.
TEST(DeepRecWeakness11, HeadersPushPowersOfTwoIntoTheNextBin) {
  const StepScript script = {
      {1, 64 * kKiB}, {2, 128 * kKiB}, {3, 256 * kKiB}, {4, 512 * kKiB}, {1}, {2}, {3}, {4}};
  constexpr int64_t kLive = (64 + 128 + 256 + 512) * kKiB;
  const auto held = [&](StepMemory& memory) {
    Play(memory, script, kQuickSteps);
    return memory.Stats().held_bytes;
  };
  ArenaStepMemory arena(QuickControls());
  EXPECT_EQ(held(arena), kLive);
  DeepRecBaseline deeprec(QuickControls());
  EXPECT_EQ(held(deeprec), kLive + static_cast<int64_t>(4 * 4 * kKiB));
}

// Weakness 12: most requests are small, and each of them goes upstream with a header.
TEST(DeepRecWeakness12, SmallTensorsAreNotPooledYetPayForAHeader) {
  StepScript script;
  for (int i = 0; i < 1000; ++i) script.push_back({i, kKiB});
  for (int i = 0; i < 1000; ++i) script.push_back({i, 0});
  ArenaStepMemory arena(QuickControls());
  Play(arena, script, kQuickSteps);
  EXPECT_EQ(PlayAndCount(arena, script, 1).upstream_calls, 0);
  EXPECT_EQ(arena.Stats().held_bytes, static_cast<int64_t>(1000 * kKiB));
  DeepRecBaseline deeprec(QuickControls());
  Play(deeprec, script, kQuickSteps);
  EXPECT_EQ(PlayAndCount(deeprec, script, 1).upstream_calls, 1000);
  EXPECT_GE(deeprec.Stats().most_held_bytes, static_cast<int64_t>(1000 * (kKiB + 8)));
}

}  // namespace
}  // namespace plimsoll
