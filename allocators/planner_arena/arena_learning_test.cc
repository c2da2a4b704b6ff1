// When the arena records, plans and plans again, and which plans it keeps.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_testing.h"
#include "allocators/planner_arena/planner/greedy.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

const std::vector<size_t> kSizes = {1000, 5000, 200000};

TEST(ArenaLearning, StartPassesThatManySteps) {
  for (int64_t start : {0, 1, 7}) {
    CountingUpstream upstream;
    ArenaConfiguration configuration = Quick();
    configuration.start_statistic_step = start;
    const auto arena = MakeArena(&upstream, configuration);
    // The step after those is recorded; its profile is complete when the next one ends.
    Steps(*arena, static_cast<int>(start) + 1, kSizes);
    EXPECT_EQ(arena->Stats().recorded_steps, 0) << start;
    Step(*arena, kSizes);
    EXPECT_EQ(arena->Stats().recorded_steps, 1) << start;
  }
}

TEST(ArenaLearning, StableStepsEndTheRecording) {
  for (int64_t stable : {1, 2, 6}) {
    CountingUpstream upstream;
    ArenaConfiguration configuration = Quick();
    configuration.stable_statistic_step = stable;
    const auto arena = MakeArena(&upstream, configuration);
    int steps = 0;
    while (arena->Stats().planned_steps == 0 && steps < 50) {
      Step(*arena, kSizes);
      ++steps;
    }
    // One passes, one is new, `stable` are not, one shows what the last left behind.
    EXPECT_EQ(steps, 1 + 1 + stable + 1 + 1);
    EXPECT_EQ(arena->Stats().stable_steps, stable);
    EXPECT_EQ(arena->Stats().recorded_steps, 1 + stable);
    // And nothing more is recorded.
    Steps(*arena, 20, kSizes);
    EXPECT_EQ(arena->Stats().recorded_steps, 1 + stable);
  }
}

TEST(ArenaLearning, MaxEndsTheRecordingOfStepsThatNeverRepeat) {
  for (int64_t most : {1, 5, 12}) {
    CountingUpstream upstream;
    ArenaConfiguration configuration = Quick();
    configuration.max_statistic_step = most;
    const auto arena = MakeArena(&upstream, configuration);
    size_t size = 1000;
    while (arena->Stats().plans == 0 && size < 100000) Step(*arena, {size += 1000, 333});
    EXPECT_EQ(arena->Stats().recorded_steps, most);
    EXPECT_EQ(arena->Stats().steps, 1 + most + 1 + 1);  // installed as the last one begins
  }
}

TEST(ArenaLearning, DisabledSendsAllUpstream) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.enable_memory_optimization = false;
  const auto arena = MakeArena(&upstream, configuration);
  EXPECT_TRUE(Steps(*arena, 50, kSizes));
  EXPECT_EQ(upstream.allocs, 150);
  EXPECT_EQ(arena->Stats().recorded_steps, 0);
  EXPECT_EQ(arena->Stats().outside, 150);
  const auto snapshot = nlohmann::json::parse(arena->SnapshotJson());
  EXPECT_EQ(snapshot["timelines"][0]["phase"], "off");
}

TEST(ArenaLearning, PhasesFollowEachOther) {
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  PlannerArena::Parts parts;
  CountingUpstream upstream;
  parts.upstream = &upstream;
  parts.planner = [gone](const std::vector<Buffer>& buffers, double) {
    gone.wait();
    return GreedyBySize(buffers);
  };
  ArenaConfiguration configuration = Quick();
  configuration.plan_in_background = true;
  const auto arena = PlannerArena::Create(configuration, parts).value();
  const auto phase = [&]() -> std::string {
    return nlohmann::json::parse(arena->SnapshotJson())["timelines"][0]["phase"];
  };
  Step(*arena, kSizes);
  EXPECT_EQ(phase(), "waiting");
  Step(*arena, kSizes);
  EXPECT_EQ(phase(), "recording");
  Steps(*arena, 3, kSizes);
  EXPECT_EQ(phase(), "planning");
  // Steps go on while it plans, upstream.
  EXPECT_TRUE(Steps(*arena, 20, kSizes));
  EXPECT_EQ(arena->Stats().hits, 0);
  go.set_value();
  arena->WaitForPlan();
  EXPECT_TRUE(Step(*arena, kSizes));
  EXPECT_EQ(phase(), "serving");
  EXPECT_EQ(arena->Stats().hits, 3);
}

// The plan that fits is not the first choice: others begin as the steps do, and have more
// requests or come first.
TEST(ArenaLearning, PlansThatOnlyBeginAsTheStepDoesMakeWay) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.stable_statistic_step = 100;
  configuration.max_statistic_step = 8;
  const auto arena = MakeArena(&upstream, configuration);
  std::vector<size_t> longest(100, 3000);
  std::vector<size_t> first(80, 5000);
  for (auto* shape : {&longest, &first}) (*shape)[0] = 1000;
  std::vector<size_t> wanted = first;
  for (size_t i = 70; i < first.size(); ++i) {
    first[i] = 6000;
    wanted[i] = 7000;
  }
  for (int round = 0; round < 4; ++round) {
    Step(*arena, first);
    Step(*arena, wanted);
    Step(*arena, longest);
  }
  ASSERT_EQ(arena->Stats().plans, 3);
  EXPECT_TRUE(Steps(*arena, 10, wanted));
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 10, wanted));
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 800);
}

TEST(ArenaLearning, ArenaMayGoWhileItPlans) {
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  PlannerArena::Parts parts;
  parts.planner = [gone](const std::vector<Buffer>& buffers, double) {
    gone.wait();
    return GreedyBySize(buffers);
  };
  ArenaConfiguration configuration = Quick();
  configuration.plan_in_background = true;
  auto arena = PlannerArena::Create(configuration, parts).value();
  Steps(*arena, kStepsToPlan, kSizes);
  std::thread later([&] { go.set_value(); });
  arena.reset();
  later.join();
}

// A planner that throws costs its plan; recording starts anew.
TEST(ArenaLearning, PlannerThatFailsIsAskedAgain) {
  for (bool background : {false, true}) {
    std::atomic<int> calls{0};
    PlannerArena::Parts parts;
    parts.planner = [&](const std::vector<Buffer>& buffers, double) -> Plan {
      if (++calls == 1) throw std::bad_alloc();
      return GreedyBySize(buffers);
    };
    ArenaConfiguration configuration = Quick();
    configuration.plan_in_background = background;
    const auto arena = PlannerArena::Create(configuration, parts).value();
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(Step(*arena, kSizes));
      arena->WaitForPlan();
    }
    EXPECT_EQ(calls, 2);
    EXPECT_GT(arena->Stats().planned_steps, 5);
  }
}

TEST(ArenaLearning, DriftOfSizesIsPlannedAgain) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Steps(*arena, 10, {1000, 5000});
  EXPECT_EQ(arena->Stats().misses, 0);
  Steps(*arena, 5, {3000, 70000});
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 10, {3000, 70000}));
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 20);
}

TEST(ArenaLearning, NewGraphIsPlannedAgain) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Steps(*arena, 10, {1000, 5000});
  const std::vector<size_t> graph = {1000, 300, 40000, 40000, 700, 9000, 256, 64};
  Steps(*arena, 5, graph);
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 10, graph));
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 80);
}

// The same requests, but a block that lives longer than it did.
TEST(ArenaLearning, LongerLifetimesArePlannedAgain) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const auto step = [&](bool longer) {
    const StepScope scope(*arena);
    void* const a = arena->Allocate(100000);
    if (!longer) arena->Free(a);
    void* const b = arena->Allocate(90000);
    if (longer) arena->Free(a);
    arena->Free(b);
  };
  for (int i = 0; i < 10; ++i) step(false);
  EXPECT_EQ(arena->Stats().plan_height, 100032);
  for (int i = 0; i < 5; ++i) step(true);
  const Since since(*arena);
  for (int i = 0; i < 10; ++i) step(true);
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(arena->Stats().plan_height, 100032 + 90048);
  for (int i = 0; i < 10; ++i) step(false);  // which the wider plan covers
  EXPECT_EQ(since.misses(), 0);
}

// A longer plan that begins as the step does, but does not fit it, is not preferred to
// the one that was made for it.
TEST(ArenaLearning, PlanThatFitsIsPreferred) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope step(*arena);
    for (size_t size : {100000, 90000, 80000, 70000}) EXPECT_TRUE(Work(*arena, {size}));
  }
  EXPECT_EQ(arena->Stats().misses, 0);
  const std::vector<size_t> both_at_once = {100000, 90000};
  Steps(*arena, 20, both_at_once);
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 20, both_at_once));
  EXPECT_EQ(since.misses(), 0);
}

// The bar: shapes alternate among five; after each was seen twice, misses at most 1 %.
TEST(ArenaLearning, FiveShapesInTurn) {
  for (bool named : {false, true}) {
    for (bool learned_first : {false, true}) {
      CountingUpstream upstream;
      ArenaConfiguration configuration = Quick();
      configuration.start_statistic_step = 0;
      configuration.stable_statistic_step = 1;
      const auto arena = MakeArena(&upstream, configuration);
      const auto step = [&](int shape) {
        const std::string name = "shape " + std::to_string(shape);
        std::vector<size_t> sizes;
        for (size_t layer = 1; layer <= 20; ++layer) {
          sizes.push_back(layer * 1000 * static_cast<size_t>(shape + 1) + 7);
        }
        StepOptions options;
        if (named) options.shape = name;
        EXPECT_TRUE(Step(*arena, sizes, options));
      };
      // One shape first, so that its plan has to make way, or all from the start.
      if (learned_first) {
        for (int i = 0; i < 10; ++i) step(0);
      }
      for (int round = 0; round < 2; ++round) {
        for (int shape = 0; shape < 5; ++shape) step(shape);
      }
      const Since since(*arena);
      for (int round = 0; round < 20; ++round) {
        for (int shape = 0; shape < 5; ++shape) step(shape);
      }
      EXPECT_LE(since.misses(), 20 * 5 * 20 / 100)
          << "named " << named << ", one learned first " << learned_first;
      EXPECT_GE(since.hits(), 20 * 5 * 20 * 99 / 100)
          << "named " << named << ", one learned first " << learned_first;
    }
  }
}

// In an order that nobody could foresee.
TEST(ArenaLearning, FiveShapesAtRandom) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::mt19937 random(7);
  const auto step = [&] {
    std::vector<size_t> sizes;
    const size_t shape = random() % 5 + 1;
    for (size_t layer = 1; layer <= 20; ++layer) sizes.push_back(layer * 1000 * shape + 7);
    EXPECT_TRUE(Step(*arena, sizes));
  };
  for (int i = 0; i < 100; ++i) step();
  const Since since(*arena);
  for (int i = 0; i < 200; ++i) step();
  EXPECT_LE(since.misses(), 200 * 20 / 100);
}

// The bar: varying at random, what is held stays within 1.2 x of the largest step's peak.
TEST(ArenaLearning, ShapesThatNeverRepeatDoNotPileUp) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::mt19937 random(7);
  size_t most = 0;
  for (int i = 0; i < 300; ++i) {
    const size_t batch = 5000 + random() % 10000;
    std::vector<size_t> sizes;
    size_t sum = 0;
    for (size_t layer = 1; layer <= 20; ++layer) {
      sizes.push_back(layer * batch);
      sum += sizes.back();
    }
    most = std::max(most, sum);
    EXPECT_TRUE(Step(*arena, sizes));
    if (i > 100) {
      EXPECT_LE(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(most * 12 / 10));
    }
  }
  EXPECT_GT(arena->Stats().hits, arena->Stats().misses);
}

// All plans were missed by steps in between; the one that fits has the fewest requests, and
// the steps tell themselves apart late.
TEST(ArenaLearning, ComesBackToAPlanThatWasMissed) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.stable_statistic_step = 100;
  configuration.max_statistic_step = 8;
  const auto arena = MakeArena(&upstream, configuration);
  std::vector<size_t> more(70, 1000);
  std::vector<size_t> fewer = more;
  std::vector<size_t> other = more;
  more.resize(170, 3000);
  fewer.resize(120, 5000);
  for (int i = 0; i < 6; ++i) {
    Step(*arena, more);
    Step(*arena, fewer);
  }
  ASSERT_EQ(arena->Stats().plans, 2);
  for (size_t i = 1; i < 40; ++i) {
    other.resize(70);
    other.resize(400, 100 * i);
    Step(*arena, other);
  }
  // The other one fits again, and is what follows itself.
  Steps(*arena, 5, more);
  Steps(*arena, 132, fewer);
  const Since since(*arena);
  Steps(*arena, 5, fewer);
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(since.hits(), 5 * 120);
}

// However long nothing repeated: what repeats now is served within the bound.
TEST(ArenaLearning, LearnsANewShapeWithinTheBound) {
  std::mt19937 random(2);
  for (const int chaos : {1, 10, 77, 300}) {
    CountingUpstream upstream;
    const auto arena = MakeArena(&upstream);
    Steps(*arena, 8, kSizes);
    for (int i = 0; i < chaos; ++i) {
      std::vector<size_t> sizes(20);
      for (size_t& size : sizes) size = 1 + random() % 50000;
      Step(*arena, sizes);
    }
    const std::vector<size_t> calm = {1000, 30000, 77, 5000, 12345, 9, 80000};
    Steps(*arena, 132, calm);
    const Since since(*arena);
    Steps(*arena, 5, calm);
    EXPECT_EQ(since.hits(), 5 * 7) << chaos;
  }
}

TEST(ArenaLearning, KeepsAsManyPlansAsConfigured) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.max_plans = 3;
  const auto arena = MakeArena(&upstream, configuration);
  // None fits into the plan of another, and no plan could cover two of them.
  const auto learn = [&](size_t shape) {
    std::vector<size_t> sizes(5 + shape, 100);
    sizes[shape] = 50000;
    const std::string name = std::to_string(shape);
    const Since since(*arena);
    Steps(*arena, 12, sizes, {.shape = name});
    return since.misses() + since.outside();
  };
  for (size_t shape : {1, 2, 3}) EXPECT_GT(learn(shape), 0);
  EXPECT_EQ(arena->Stats().plans, 3);
  EXPECT_EQ(learn(1), 0);
  EXPECT_EQ(learn(3), 0);
  // The fourth takes the place of the second, which was used least recently.
  EXPECT_GT(learn(4), 0);
  EXPECT_EQ(arena->Stats().plans, 3);
  EXPECT_EQ(learn(1), 0);
  EXPECT_EQ(learn(3), 0);
  EXPECT_EQ(learn(4), 0);
  EXPECT_GT(learn(2), 0);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

// A plan that made way while one of its blocks is live: the block stays its own.
TEST(ArenaLearning, BlockOutlivesItsPlan) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.max_plans = 1;
  const auto arena = MakeArena(&upstream, configuration);
  Steps(*arena, 8, {1000, 5000});
  unsigned char* kept = nullptr;
  {
    const StepScope step(*arena);
    kept = static_cast<unsigned char*>(arena->Allocate(1000));
    std::memset(kept, 9, 1000);
  }
  for (size_t size : {2000, 3000, 4000, 1000}) EXPECT_TRUE(Steps(*arena, 8, {size, size, size}));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(kept[i], 9);
  arena->Free(kept);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  EXPECT_EQ(upstream.blocks, 0);
}

TEST(ArenaLearning, NamedShapesDoNotShareAPlan) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Steps(*arena, 8, {1000, 5000}, {.shape = "a"});
  // Equal requests under another name: another shape, that has to be learned.
  Steps(*arena, 8, {1000, 5000}, {.shape = "b"});
  EXPECT_EQ(arena->Stats().plans, 2);
}

}  // namespace
}  // namespace plimsoll
