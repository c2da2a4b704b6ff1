// Where steps begin and end: scopes, tickets, sessions, and several arenas.

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_testing.h"
#include "allocators/planner_arena/worker.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

const std::vector<size_t> kSizes = {1000, 5000, 200000};

// Runs it on a thread of its own.
template <typename Function>
void Elsewhere(Function function) {
  std::thread(function).join();
}

TEST(ArenaSteps, ScopeIsAStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 1; i <= 3; ++i) {
    { const StepScope step(*arena); }
    EXPECT_EQ(arena->Stats().steps, i);
  }
}

TEST(ArenaSteps, InnerScopeJoinsTheOuterStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope outer(*arena);
    EXPECT_TRUE(Work(*arena, {1000}));
    {
      const StepScope inner(*arena, {.session = "ignored, as it joins"});
      EXPECT_TRUE(Work(*arena, {5000}));
    }
    EXPECT_TRUE(Work(*arena, {200000}));
  }
  EXPECT_EQ(arena->Stats().steps, 10);
  EXPECT_EQ(arena->Stats().planned_steps, 10 - kStepsToPlan);
  EXPECT_EQ(arena->Stats().hits, 3 * (10 - kStepsToPlan));
  EXPECT_EQ(arena->Stats().misses, 0);
}

TEST(ArenaSteps, RequestsOutsideStepsGoUpstreamAndAreCounted) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  EXPECT_TRUE(Work(*arena, kSizes));
  EXPECT_EQ(arena->Stats().outside, 3);
  Steps(*arena, 8, kSizes);
  const Since since(*arena);
  const int64_t allocs = upstream.allocs;
  EXPECT_TRUE(Work(*arena, kSizes));
  EXPECT_EQ(upstream.allocs, allocs + 3);
  EXPECT_EQ(since.outside(), 3);
  EXPECT_EQ(since.hits() + since.misses() + since.unplanned(), 0);
}

TEST(ArenaSteps, AsynchronousStepEndsWithItsLastTicket) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const auto pending_step = [&] {
    auto scope = std::make_unique<StepScope>(*arena);
    StepTicket ticket = scope->Ticket();
    scope.reset();
    return ticket;
  };
  for (int i = 0; i < 10; ++i) {
    StepTicket ticket = pending_step();
    StepTicket copy = ticket;
    ticket = StepTicket();
    // Only the copy is left: the step is open, and its work belongs to it.
    Elsewhere([&] {
      {
        const StepScope part(copy);
        EXPECT_TRUE(Work(*arena, kSizes));
      }
      EXPECT_EQ(arena->Stats().planned_steps, std::max(0, i - kStepsToPlan));
      copy = StepTicket();  // ends it, here
      EXPECT_EQ(arena->Stats().planned_steps, std::max(0, i + 1 - kStepsToPlan));
    });
  }
  EXPECT_EQ(arena->Stats().hits, 15);
  EXPECT_EQ(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().outside, 15);  // of the five steps before there was a plan
}

// The next step is dispatched before the one before it is complete, as in a pipeline.
TEST(ArenaSteps, StepsThatOverlapEachHaveAPlan) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::vector<void*> blocks;
  StepTicket before;
  std::optional<Since> since;
  for (int i = 0; i < 30; ++i) {
    if (i == 20) since.emplace(*arena);
    StepTicket ticket;
    std::vector<void*> mine;
    {
      const StepScope scope(*arena);
      ticket = scope.Ticket();
      for (size_t size : kSizes) {
        mine.push_back(arena->Allocate(size));
        std::memset(mine.back(), i, size);
      }
    }
    // The step before ends while this one is under way.
    for (size_t b = 0; b < blocks.size(); ++b) {
      EXPECT_EQ(static_cast<unsigned char*>(blocks[b])[kSizes[b] - 1], i - 1);
    }
    if (!blocks.empty()) {
      const StepScope scope(before);
      for (void* block : blocks) arena->Free(block);
    }
    blocks = mine;
    before = ticket;
  }
  EXPECT_EQ(since->misses(), 0);
  EXPECT_EQ(since->hits(), 30);
  const StepScope scope(before);
  for (void* block : blocks) arena->Free(block);
  EXPECT_EQ(arena->Stats().plans, 2);
}

TEST(ArenaSteps, SeveralThreadsWorkOnOneStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope scope(*arena);
    const StepTicket ticket = scope.Ticket();
    for (size_t size : kSizes) {
      Elsewhere([&] {
        const StepScope part(ticket);
        EXPECT_TRUE(Work(*arena, {size}));
      });
    }
  }
  EXPECT_EQ(arena->Stats().hits, 15);
  EXPECT_EQ(arena->Stats().misses, 0);
}

// As in a pool that serves requests: what one thread did is planned for all.
TEST(ArenaSteps, AnyThreadMayBeginTheNextStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::vector<Worker> pool(4);
  for (size_t i = 0; i < 40; ++i) {
    pool[i * 7 % 4].Do([&] { EXPECT_TRUE(Step(*arena, kSizes)); });
  }
  EXPECT_EQ(arena->Stats().planned_steps, 40 - kStepsToPlan);
  EXPECT_EQ(arena->Stats().hits, 3 * (40 - kStepsToPlan));
  EXPECT_EQ(arena->Stats().misses, 0);
}

TEST(ArenaSteps, ThreadsMayChangePartsFromStepToStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::vector<Worker> pool(3);
  for (size_t i = 0; i < 40; ++i) {
    std::unique_ptr<StepScope> scope;
    pool[i % 2].Do([&] {
      scope = std::make_unique<StepScope>(*arena);
      EXPECT_TRUE(Work(*arena, kSizes));
    });
    pool[1 - i % 2].Do([&] {
      const StepScope part(scope->Ticket());
      EXPECT_TRUE(Work(*arena, {700, 90000}));
    });
    pool[i % 2].Do([&] { scope.reset(); });
  }
  EXPECT_EQ(arena->Stats().planned_steps, 40 - kStepsToPlan);
  EXPECT_EQ(arena->Stats().hits, 5 * (40 - kStepsToPlan));
}

// Who joins has its part, even if it is the first to ask.
TEST(ArenaSteps, ThreadThatBeganTheStepNeedNotBeTheFirst) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::vector<Worker> pool(3);
  const auto step = [&](size_t begins, size_t joins, bool waits) {
    std::unique_ptr<StepScope> scope;
    pool[begins].Do([&] {
      scope = std::make_unique<StepScope>(*arena);
      EXPECT_TRUE(waits || Work(*arena, kSizes));
    });
    pool[joins].Do([&] {
      const StepScope part(scope->Ticket());
      EXPECT_TRUE(Work(*arena, {700, 90000}));
    });
    pool[begins].Do([&] {
      EXPECT_TRUE(!waits || Work(*arena, kSizes));
      scope.reset();
    });
  };
  step(0, 1, false);  // each gets a lane
  step(0, 2, false);
  for (int i = 0; i < 40; ++i) step(1, 2, i % 2 == 0);
  EXPECT_GE(arena->Stats().planned_steps, 30);
  EXPECT_EQ(arena->Stats().plans, 1);
}

TEST(ArenaSteps, ThreadsThatDeclareNothingBelongToTheOnlyStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope scope(*arena);
    Elsewhere([&] { EXPECT_TRUE(Work(*arena, kSizes)); });
  }
  EXPECT_EQ(arena->Stats().hits, 15);
  // With two steps open nobody knows whose they are: upstream.
  const StepScope scope(*arena);
  Elsewhere([&] {
    const StepScope other(*arena, {.session = "other"});
    const Since since(*arena);
    Elsewhere([&] { EXPECT_TRUE(Work(*arena, kSizes)); });
    EXPECT_EQ(since.outside(), 3);
  });
}

TEST(ArenaSteps, ConcurrentSessionsKeepTheirOwnTimelines) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<std::vector<size_t>> sizes = {{1000, 70000}, {333, 90000, 10}, {123456}};
  std::vector<std::thread> threads;
  for (size_t s = 0; s < sizes.size(); ++s) {
    threads.emplace_back([&, s] {
      const std::string session = "session " + std::to_string(s);
      // As many steps as each likes.
      EXPECT_TRUE(Steps(*arena, 20 + 10 * static_cast<int>(s), sizes[s], {.session = session}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const ArenaStats stats = arena->Stats();
  EXPECT_EQ(stats.steps, 20 + 30 + 40);
  EXPECT_EQ(stats.plans, 3);
  EXPECT_EQ(stats.planned_steps, 20 + 30 + 40 - 3 * kStepsToPlan);
  EXPECT_EQ(stats.hits, 15 * 2 + 25 * 3 + 35 * 1);
  EXPECT_EQ(stats.misses, 0);
  const auto snapshot = nlohmann::json::parse(arena->SnapshotJson());
  ASSERT_EQ(snapshot["timelines"].size(), 3u);
}

TEST(ArenaSteps, SessionsOfOneThreadTakeTurns) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  std::optional<Since> since;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) since.emplace(*arena);
    EXPECT_TRUE(Step(*arena, {1000, 70000}, {.session = "training"}));
    if (i % 3 == 0) {
      EXPECT_TRUE(Step(*arena, {500}, {.session = "evaluation"}));
    }
  }
  EXPECT_EQ(since->misses(), 0);
  // Evaluation has had seven steps, two of them with its plan.
  EXPECT_EQ(since->hits(), 10 * 2 + 2);
  EXPECT_EQ(arena->Stats().plans, 2);
}

TEST(ArenaSteps, SeveralArenasAreApart) {
  CountingUpstream upstream;
  const auto one = MakeArena(&upstream);
  const auto two = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) {
    const StepScope step_of_one(*one);
    const StepScope step_of_two(*two);
    // Call by call in turns, on one thread.
    std::vector<void*> blocks;
    for (size_t size : kSizes) {
      blocks.push_back(one->Allocate(size));
      blocks.push_back(two->Allocate(size / 2));
    }
    for (size_t b = 0; b < blocks.size(); ++b) (b % 2 == 0 ? *one : *two).Free(blocks[b]);
  }
  for (const PlannerArena* arena : {one.get(), two.get()}) {
    EXPECT_EQ(arena->Stats().hits, 15);
    EXPECT_EQ(arena->Stats().misses, 0);
    EXPECT_EQ(arena->Stats().steps, 10);
    EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  }
  EXPECT_GT(one->Stats().plan_height, two->Stats().plan_height);
}

TEST(ArenaSteps, ArenasComeAndGoUnderAThread) {
  CountingUpstream upstream;
  for (int i = 0; i < 20; ++i) {
    const auto arena = MakeArena(&upstream);
    EXPECT_TRUE(Steps(*arena, 8, kSizes));
    EXPECT_EQ(arena->Stats().hits, 9);
  }
  EXPECT_EQ(upstream.blocks, 0);
}

TEST(ArenaSteps, ThreadsMayEndAfterTheArena) {
  CountingUpstream upstream;
  std::promise<void> worked;
  std::promise<void> gone;
  std::thread thread;
  {
    const auto arena = MakeArena(&upstream);
    thread = std::thread([&] {
      EXPECT_TRUE(Steps(*arena, 8, kSizes));
      worked.set_value();
      gone.get_future().wait();
    });
    worked.get_future().wait();
  }
  gone.set_value();
  thread.join();
}

// Threads come and go; each step's thread takes the place of the one before it.
TEST(ArenaSteps, NewThreadsTakeThePlacesOfOldOnes) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 10; ++i) Elsewhere([&] { EXPECT_TRUE(Step(*arena, kSizes)); });
  EXPECT_EQ(arena->Stats().hits, 15);
  EXPECT_EQ(arena->Stats().misses, 0);
}

TEST(ArenaSteps, MoreSessionsThanTimelinesAreServedUpstream) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int s = 0; s < 64; ++s) {
    const std::string session = std::to_string(s);
    EXPECT_TRUE(Step(*arena, {100}, {.session = session}));
  }
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 10, kSizes, {.session = "one too many"}));
  EXPECT_EQ(since.outside(), 30);
  EXPECT_EQ(arena->Stats().steps, 64);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

}  // namespace
}  // namespace plimsoll
