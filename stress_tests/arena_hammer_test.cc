// Eight threads hammer the planner arena. Every block's contents are verified.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <memory_resource>
#include <thread>

#include "allocators/planner_arena/arena.h"
#include "stress_tests/hammer.h"
#include "stress_tests/scale.h"

namespace plimsoll {
namespace {

// Upstream that knows what it is owed, and fails every `fail_every`-th request if asked.
class Upstream : public std::pmr::memory_resource {
 public:
  explicit Upstream(int64_t fail_every = 0) : fail_every_(fail_every) {}
  void StopFailing() { fail_every_ = 0; }
  int64_t blocks() const { return blocks_; }
  int64_t bytes() const { return bytes_; }

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override {
    const int64_t request = ++requests_;
    const int64_t fail_every = fail_every_;
    if (fail_every != 0 && request % fail_every == 0) throw std::bad_alloc();
    void* const block = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    ++blocks_;
    bytes_ += static_cast<int64_t>(bytes);
    return block;
  }
  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    --blocks_;
    bytes_ -= static_cast<int64_t>(bytes);
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

 private:
  std::atomic<int64_t> fail_every_;
  std::atomic<int64_t> requests_{0};
  std::atomic<int64_t> blocks_{0};
  std::atomic<int64_t> bytes_{0};
};

ArenaConfiguration Eager() {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 1;
  configuration.stable_statistic_step = 2;
  configuration.max_statistic_step = 4;
  configuration.reserve_bytes = uint64_t{1} << 33;
  return configuration;
}

std::unique_ptr<PlannerArena> MakeArena(Upstream& upstream,
                                        const ArenaConfiguration& configuration) {
  PlannerArena::Parts parts;
  parts.upstream = &upstream;
  return PlannerArena::Create(configuration, parts).value();
}

// Each step in one scope that all threads join.
BeginStep StepsOf(PlannerArena& arena) {
  return [&arena](int64_t) {
    auto scope = std::make_shared<StepScope>(arena);
    return [scope]() -> StepGuard { return std::make_shared<StepScope>(scope->Ticket()); };
  };
}

void ExpectNothingHeld(const PlannerArena& arena, const Upstream& upstream) {
  EXPECT_EQ(arena.Stats().allocator.bytes_in_use, 0);
  EXPECT_EQ(upstream.blocks(), 0);
  EXPECT_EQ(upstream.bytes(), 0);
}

TEST(ArenaHammer, EightThreadsInStepsThatRepeat) {
  Upstream upstream;
  const auto arena = MakeArena(upstream, Eager());
  HammerOptions options;
  options.change = 0;
  options.keep = 0;
  options.hand_over = 0;
  options.steps = Scaled(150);
  options.requests = 400;
  const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
  EXPECT_EQ(report.error, "");
  EXPECT_GT(report.operations, 8 * 400 * (options.steps - 1));
  ExpectNothingHeld(*arena, upstream);
}

// From steps that nearly repeat to steps that hardly do.
TEST(ArenaHammer, EightThreadsInStepsThatChange) {
  for (double change : {0.001, 0.02, 0.3}) {
    Upstream upstream;
    ArenaConfiguration configuration = Eager();
    configuration.plan_in_background = false;
    const auto arena = MakeArena(upstream, configuration);
    HammerOptions options;
    options.change = change;
    options.keep = change / 10;
    options.hand_over = change;
    options.steps = Scaled(300);
    options.requests = 300;
    options.seed = 7;
    const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
    EXPECT_EQ(report.error, "") << "change " << change;
    EXPECT_EQ(report.refused, 0);
    EXPECT_GT(arena->Stats().hits, 0) << "change " << change;
    ExpectNothingHeld(*arena, upstream);
  }
}

TEST(ArenaHammer, EightThreadsAndNewPlansAllTheTime) {
  Upstream upstream;
  ArenaConfiguration configuration = Eager();
  configuration.max_plans = 2;
  configuration.decay_ms = 0;
  configuration.first_region_bytes = 4096;
  const auto arena = MakeArena(upstream, configuration);
  HammerOptions options;
  options.steps = Scaled(300);
  options.keep = 0.001;
  options.hand_over = 0.01;
  // A few programs take turns, each with changes of its own.
  const HammerReport report = Hammer(*arena, options, [&](int64_t step) {
    auto scope = std::make_shared<StepScope>(
        *arena, StepOptions{step % 3 == 0 ? "one" : "other", step % 5 == 0 ? "small" : ""});
    return [scope]() -> StepGuard { return std::make_shared<StepScope>(scope->Ticket()); };
  });
  EXPECT_EQ(report.error, "");
  ExpectNothingHeld(*arena, upstream);
}

TEST(ArenaHammer, ThreadsThatDeclareNothing) {
  Upstream upstream;
  const auto arena = MakeArena(upstream, Eager());
  HammerOptions options;
  options.steps = Scaled(150);
  std::shared_ptr<StepScope> scope;
  const HammerReport report = Hammer(*arena, options, [&](int64_t) {
    scope.reset();
    scope = std::make_shared<StepScope>(*arena);
    return std::function<StepGuard()>();
  });
  scope.reset();
  EXPECT_EQ(report.error, "");
  ExpectNothingHeld(*arena, upstream);
}

// Requests of one step that are still under way in the next ones, of which plans change.
TEST(ArenaHammer, RequestsStraddleSteps) {
  for (const double change : {0.0, 0.05}) {
    Upstream upstream;
    ArenaConfiguration configuration = Eager();
    configuration.plan_in_background = false;
    configuration.max_plans = 3;
    const auto arena = MakeArena(upstream, configuration);
    HammerOptions options;
    options.straddle = true;
    options.threads = 3;  // so that steps come and go while requests run, on few cores, too
    options.change = change;
    options.keep = change / 10;
    options.hand_over = 0.05;
    options.requests = 20;
    options.steps = Scaled(8000);
    const HammerReport report = Hammer(*arena, options, [&](int64_t) {
      auto scope = std::make_shared<StepScope>(*arena);
      return [scope]() -> StepGuard { return scope; };
    });
    EXPECT_EQ(report.error, "");
    EXPECT_GT(arena->Stats().hits, 0);
    EXPECT_GT(arena->Stats().steps, 1);
    ExpectNothingHeld(*arena, upstream);
  }
}

// What production uses: no named upstream, so large blocks get pages of their own.
class FailingPages : public ArenaPages {
 public:
  explicit FailingPages(int64_t fail_every) : fail_every_(fail_every) {}
  void StopFailing() { fail_every_ = 0; }
  int64_t reserved() const { return reserved_; }
  int64_t refused_commits() const { return refused_commits_; }

  void* Reserve(size_t bytes) override {
    if (Fails()) return nullptr;
    void* const begin = System().Reserve(bytes);
    if (begin != nullptr) ++reserved_;
    return begin;
  }
  bool Commit(void* begin, size_t bytes) override {
    if (!Fails()) return System().Commit(begin, bytes);
    ++refused_commits_;
    return false;
  }
  bool Populate(void* begin, size_t bytes) override { return System().Populate(begin, bytes); }
  void Discard(void* begin, size_t bytes) override { System().Discard(begin, bytes); }
  void Uncommit(void* begin, size_t bytes) override { System().Uncommit(begin, bytes); }
  void Release(void* begin, size_t bytes) override {
    --reserved_;
    System().Release(begin, bytes);
  }
  bool AdviseHuge(void* begin, size_t bytes) override { return System().AdviseHuge(begin, bytes); }
  bool Interleave(void* begin, size_t bytes) override { return System().Interleave(begin, bytes); }

 private:
  bool Fails() {
    const int64_t call = ++calls_;
    const int64_t fail_every = fail_every_;
    return fail_every != 0 && call % fail_every == 0;
  }

  std::atomic<int64_t> fail_every_;
  std::atomic<int64_t> calls_{0};
  std::atomic<int64_t> reserved_{0};
  std::atomic<int64_t> refused_commits_{0};
};

TEST(ArenaHammer, ProductionPathWhilePagesFailEveryKthTime) {
  int64_t refused_commits = 0;
  for (const int64_t k : {0, 1, 2, 3, 7, 50}) {
    SCOPED_TRACE("every " + std::to_string(k));
    FailingPages pages(k);
    {
      PlannerArena::Parts parts;
      parts.pages = &pages;
      ArenaConfiguration configuration = Eager();
      configuration.decay_ms = k % 2 == 0 ? 0 : -1;
      const auto arena = PlannerArena::Create(configuration, parts).value();
      HammerOptions options;
      options.steps = 20 + Scaled(60);
      options.requests = Scaled(100) < 20 ? 20 : 100;
      options.change = 0.03;
      options.large = true;
      const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
      EXPECT_EQ(report.error, "");
      EXPECT_EQ(report.refused, 0);  // upstream serves what gets no pages
      EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
      EXPECT_LE(pages.reserved(), 1);  // the range of the timeline
      refused_commits += pages.refused_commits();
      pages.StopFailing();
      arena->Trim();
      EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
    }
    EXPECT_EQ(pages.reserved(), 0);
  }
  EXPECT_GT(refused_commits, 0);
}

// One request in ten is left out, doubled or of another size, on eight threads that keep no
// order. About 87 of 100 can be of a size that is planned in their place, since the
// step that the plan was made of has as many changes.
TEST(ArenaHammer, TenPercentOfRequestsChange) {
  Upstream upstream;
  ArenaConfiguration configuration = Eager();
  configuration.plan_in_background = false;
  const auto arena = MakeArena(upstream, configuration);
  HammerOptions options;
  options.change = 0.1;
  options.keep = 0;
  options.hand_over = 0;
  options.requests = 300;
  options.steps = 20 + Scaled(150);
  EXPECT_EQ(Hammer(*arena, options, StepsOf(*arena)).error, "");
  const ArenaStats before = arena->Stats();
  EXPECT_EQ(Hammer(*arena, options, StepsOf(*arena)).error, "");
  const ArenaStats after = arena->Stats();
  const int64_t hits = after.hits - before.hits;
  const int64_t misses = after.misses - before.misses;
  // Other threads than before, in other places: what was planned for them has to be learnt
  // again. Was 0.44, when a lane that had lost its place never found it; 0.76 was measured.
  if (kSlowdown == 1) {
    EXPECT_GT(hits * 100, 65 * (hits + misses));
  }
  ExpectNothingHeld(*arena, upstream);
}

// The bar: ten million operations on a plain build.
TEST(ArenaHammer, TenMillionRandomOperations) {
  Upstream upstream;
  ArenaConfiguration configuration = Eager();
  configuration.decay_ms = 1;
  // A few steps may be over before a plan is there.
  configuration.plan_in_background = kSlowdown == 1;
  const auto arena = MakeArena(upstream, configuration);
  HammerOptions options;
  options.change = 0.01;
  options.keep = 0.001;
  options.hand_over = 0.02;
  options.requests = 500;
  options.steps = Scaled(1300);
  options.seed = 11;
  const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.refused, 0);
  EXPECT_GE(report.operations, Scaled(10'000'000));
  EXPECT_GT(arena->Stats().hits, report.operations / 10);
  ExpectNothingHeld(*arena, upstream);
}

// What the arena is asked and told by threads that take no part in its steps.
TEST(ArenaHammer, ReportsAndTrimsInTheMidstOfSteps) {
  Upstream upstream;
  const auto arena = MakeArena(upstream, Eager());
  std::atomic<bool> stop{false};
  std::thread onlooker([&] {
    for (int64_t i = 0; !stop; ++i) {
      const ArenaStats stats = arena->Stats();
      EXPECT_GE(stats.allocator.peak_bytes_in_use, 0);
      if (i % 4 == 0) arena->Trim();
      if (i % 16 == 0) {
        EXPECT_NE(arena->SnapshotJson(), "");
        arena->PictureSvg();
      }
    }
  });
  HammerOptions options;
  options.threads = 4;
  options.steps = Scaled(200);
  options.keep = 0.01;
  const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
  stop = true;
  onlooker.join();
  EXPECT_EQ(report.error, "");
  ExpectNothingHeld(*arena, upstream);
}

// Afterwards it serves steps as if nothing had been.
TEST(ArenaHammer, UpstreamFailsEveryKthTime) {
  for (int64_t k : {1, 2, 3, 7, 20, 101}) {
    Upstream upstream(k);
    const auto arena = MakeArena(upstream, Eager());
    HammerOptions options;
    options.steps = Scaled(100);
    options.requests = 100;
    const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
    EXPECT_EQ(report.error, "") << "every " << k;
    EXPECT_GT(report.refused, 0) << "every " << k;
    ExpectNothingHeld(*arena, upstream);
    upstream.StopFailing();
    options.change = 0;
    options.keep = 0;
    options.hand_over = 0;
    options.threads = 1;
    options.steps = 20;
    // It may have to learn anew first.
    bool steady = false;
    for (int round = 0; round < 10 && !steady; ++round) {
      const int64_t hits = arena->Stats().hits;
      const HammerReport calm = Hammer(*arena, options, StepsOf(*arena));
      EXPECT_EQ(calm.error, "") << "every " << k;
      EXPECT_EQ(calm.refused, 0) << "every " << k;
      steady = arena->Stats().hits - hits >= options.steps * options.requests * 9 / 10;
      arena->WaitForPlan();
    }
    EXPECT_TRUE(steady) << "every " << k;
    ExpectNothingHeld(*arena, upstream);
  }
}

// The limit is too low for what is asked; nothing may exceed it for a moment.
TEST(ArenaHammer, LimitIsNeverExceeded) {
  constexpr int64_t kLimit = 300'000;
  for (Growth growth : {Growth::kGrow, Growth::kPreallocate}) {
    Upstream upstream;
    ArenaConfiguration configuration = Eager();
    configuration.limit_bytes = kLimit;
    configuration.growth = growth;
    const auto arena = MakeArena(upstream, configuration);
    HammerOptions options;
    options.steps = 20 + Scaled(150);
    options.change = 0.02;
    const HammerReport report = Hammer(*arena, options, StepsOf(*arena));
    EXPECT_EQ(report.error, "");
    EXPECT_GT(report.refused, 0);
    EXPECT_LE(arena->Stats().allocator.peak_bytes_reserved, kLimit);
    ExpectNothingHeld(*arena, upstream);
  }
}

// Hands the same bytes to two callers now and then: the mistake that the hammer is for.
class OverlappingResource : public std::pmr::memory_resource {
 protected:
  void* do_allocate(size_t, size_t) override {
    const int64_t n = ++requests_;
    const int64_t slot = n % 1000 == 0 ? n - 1 : n;
    return static_cast<std::byte*>(memory_) + static_cast<size_t>(slot % kSlots) * kSlotBytes;
  }
  void do_deallocate(void*, size_t, size_t) override {}
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

 private:
  static constexpr int64_t kSlots = 3000;
  static constexpr size_t kSlotBytes = size_t{1} << 18;
  std::atomic<int64_t> requests_{0};
  std::pmr::monotonic_buffer_resource pages_;
  void* const memory_ = pages_.allocate(kSlots * kSlotBytes, 4096);
};

TEST(ArenaHammer, CatchesAnAllocatorThatOverlapsBlocks) {
  OverlappingResource overlapping;
  HammerOptions options;
  options.threads = 1;
  options.steps = 100;
  options.keep = 0;
  const HammerReport report = Hammer(overlapping, options, nullptr);
  EXPECT_NE(report.error, "");
}

}  // namespace
}  // namespace plimsoll
