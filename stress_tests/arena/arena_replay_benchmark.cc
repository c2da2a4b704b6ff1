// Steps of programs replayed on the planner arena and on malloc, which is the C library's
// unless another is preloaded:
//
//   bazel run //stress_tests/arena:arena_replay_benchmark -- [NAME=TRACE...]
//   bazel run //stress_tests/arena:arena_peers     # under every malloc, with ratios
//
// "LOOP:TRACE/CONTENDER". The trace "synthetic" is built in; others are files.
//   Calls    an item is one call, alloc or free, without touching
//   Touched  an item is one step that touches a byte of each page; max RSS from the first
//            step on ("rss") and in steady state ("steady_rss"), over the peak of live bytes
//   Threads1, 2, 4, 8  an item is one call; so many threads, each a trace of its own in
//            the same step; CPU time, and "wall" in ns
//   FiveShapes, AnyShape  an item is one step; shapes in turn, or at random
//   AnyShapeAnyThread  the same, and each step on any of 8 threads, as a server's requests;
//            max RSS of the first steps ("early_rss") and of all ("rss")

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/baselines/bump_reset.h"
#include "allocators/planner_arena/baselines/deeprec_baseline.h"
#include "allocators/planner_arena/baselines/one_shot.h"
#include "allocators/planner_arena/worker.h"
#include "stress_tests/arena/preloaded.h"
#include "stress_tests/arena/replay.h"
#include "stress_tests/arena/resident.h"
#include "stress_tests/arena/step_trace.h"

namespace plimsoll {
namespace {

// -- Contenders: memory, and what begins and ends a step ------------------------------

class OnMalloc {
 public:
  struct Step {
    explicit Step(OnMalloc&) {}
    // As a thread takes part in another's step.
    struct Part {
      explicit Part(const Step&) {}
    };
  };
  MallocCalls& memory() { return memory_; }
  bool Ready() { return true; }
  int64_t Missed() const { return 0; }

 private:
  MallocCalls memory_;
};

template <bool kHuge>
class OnArena {
 public:
  OnArena() : arena_(PlannerArena::Create(Configuration()).value()) {}

  struct Step {
    explicit Step(OnArena& on) : scope(*on.arena_) {}
    struct Part {
      explicit Part(const Step& step) : scope(step.scope.Ticket()) {}
      StepScope scope;
    };
    StepScope scope;
  };
  PlannerArena& memory() { return *arena_; }
  // Whether a plan serves; waits for one that is being made.
  bool Ready() {
    arena_->WaitForPlan();
    return arena_->Stats().planned_steps > 0;
  }
  // Requests so far that no plan served.
  int64_t Missed() const {
    const ArenaStats stats = arena_->Stats();
    return stats.misses + stats.outside + stats.unplanned;
  }

  static ArenaConfiguration Configuration() {
    ArenaConfiguration configuration;
    configuration.start_statistic_step = 0;
    configuration.stable_statistic_step = 2;
    configuration.max_statistic_step = 10;
    configuration.huge_pages = kHuge;
    return configuration;
  }

 private:
  std::unique_ptr<PlannerArena> arena_;
};

// One of the designs that the arena is compared with.
template <typename Memory>
class OnBaseline {
 public:
  OnBaseline() : memory_(Make()) {}

  struct Step {
    explicit Step(OnBaseline& its) : on(its) { on.memory_.BeginStep(); }
    ~Step() {
      on.memory_.EndStep();
      ++on.steps_;
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    struct Part {
      explicit Part(const Step&) {}
    };
    OnBaseline& on;
  };
  Memory& memory() { return memory_; }
  static Memory Make() {
    if constexpr (std::is_constructible_v<Memory, const ArenaConfiguration&>) {
      return Memory(OnArena<false>::Configuration());
    } else {
      return Memory();
    }
  }
  // Each has recorded all that it will by then.
  bool Ready() { return steps_ >= OnArena<false>::Configuration().max_statistic_step + 5; }
  int64_t Missed() const { return memory_.Stats().misses; }

 private:
  Memory memory_;
  int64_t steps_ = 0;
};

// What was resident before the first loop.
std::optional<Resident> g_before;

// -- Loops ----------------------------------------------------------------------------

constexpr int kMostWarmUp = 100;
constexpr int kSteadyWarmUp = 3;

// Steps until a plan serves, and some more.
template <typename On, typename Step>
bool WarmUp(On& on, const Step& step) {
  int steps = 0;
  do step();
  while (!on.Ready() && ++steps < kMostWarmUp);
  for (int i = 0; i < kSteadyWarmUp; ++i) step();
  return on.Ready();
}

void Average(benchmark::State& state, const char* name, double sum) {
  state.counters[name] = benchmark::Counter(sum, benchmark::Counter::kAvgIterations);
}

template <typename On>
void Calls(benchmark::State& state, const StepTrace& trace) {
  On on;
  Replay replay(trace);
  const auto step = [&] {
    const typename On::Step scope(on);
    return replay.Step<Touch::kNothing>(on.memory());
  };
  if (!WarmUp(on, step)) state.SkipWithError("no plan came to serve");
  const int64_t missed = on.Missed();
  int64_t calls = 0;
  for (auto _ : state) calls += step();
  state.SetItemsProcessed(calls);
  Average(state, "misses", static_cast<double>(on.Missed() - missed));
  replay.Finish(on.memory());
}

template <typename On>
void Touched(benchmark::State& state, const StepTrace& trace) {
  const auto peak = static_cast<double>(PeakLive(trace));
  On on;
  Replay replay(trace);
  const auto step = [&] {
    const typename On::Step scope(on);
    replay.Step<Touch::kPages>(on.memory());
  };
  if (!WarmUp(on, step)) state.SkipWithError("no plan came to serve");
  const std::optional<Resident> warm = ReadResident();
  const bool reset = ResetMostResident();
  const int64_t missed = on.Missed();
  const int64_t faults = MinorFaults();
  for (auto _ : state) step();
  Average(state, "faults", static_cast<double>(MinorFaults() - faults));
  Average(state, "misses", static_cast<double>(on.Missed() - missed));
  const std::optional<Resident> after = ReadResident();
  if (g_before && warm && after) {
    const auto over = [&](const Resident& seen) {
      return static_cast<double>(MostBeyond(*g_before, seen)) / peak;
    };
    state.counters["rss"] = std::max(over(*warm), over(*after));
    if (reset) state.counters["steady_rss"] = over(*after);
  }
  state.SetItemsProcessed(state.iterations());
  replay.Finish(on.memory());
}

int64_t ThreadNanoseconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Steps in which each thread replays a trace.
template <typename On>
class Crew {
 public:
  Crew(On& on, const StepTrace& trace, int threads)
      : on_(on), begin_(threads + 1), end_(threads + 1) {
    // All are there before a thread looks for its own.
    for (int i = 0; i < threads; ++i) replays_.push_back(std::make_unique<Replay>(trace));
    for (const auto& replay : replays_) {
      threads_.emplace_back([this, &its = *replay] { Work(its); });
    }
  }
  ~Crew() {
    step_ = nullptr;
    begin_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
    for (const auto& replay : replays_) replay->Finish(on_.memory());
  }

  void Step() {
    const typename On::Step step(on_);
    step_ = &step;
    begin_.arrive_and_wait();
    end_.arrive_and_wait();
  }
  int64_t nanoseconds() const { return nanoseconds_; }
  int64_t calls() const { return calls_; }

 private:
  void Work(Replay& replay) {
    for (;;) {
      begin_.arrive_and_wait();
      if (step_ == nullptr) return;
      const int64_t start = ThreadNanoseconds();
      int64_t calls = 0;
      {
        const typename On::Step::Part part(*step_);
        calls = replay.Step<Touch::kNothing>(on_.memory());
      }
      nanoseconds_ += ThreadNanoseconds() - start;
      calls_ += calls;
      end_.arrive_and_wait();
    }
  }

  On& on_;
  const typename On::Step* step_ = nullptr;
  std::barrier<> begin_;
  std::barrier<> end_;
  std::atomic<int64_t> nanoseconds_{0};
  std::atomic<int64_t> calls_{0};
  std::vector<std::unique_ptr<Replay>> replays_;
  std::vector<std::thread> threads_;
};

template <typename On>
void Threads(benchmark::State& state, const StepTrace& trace, int threads) {
  On on;
  Crew<On> crew(on, trace, threads);
  if (!WarmUp(on, [&] { crew.Step(); })) state.SkipWithError("no plan came to serve");
  // Until what differs from step to step is known, and planned: planning takes a core.
  for (int i = 0; i < 40; ++i) {
    crew.Step();
    on.Ready();
  }
  const int64_t missed = on.Missed();
  const int64_t calls_before = crew.calls();
  double wall = 0;
  for (auto _ : state) {
    const int64_t before = crew.nanoseconds();
    const auto start = std::chrono::steady_clock::now();
    crew.Step();
    wall +=
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    state.SetIterationTime(static_cast<double>(crew.nanoseconds() - before) / 1e9);
  }
  const auto calls = static_cast<double>(crew.calls() - calls_before);
  state.SetItemsProcessed(crew.calls() - calls_before);
  state.counters["wall"] = wall / calls;
  state.counters["missed_percent"] = 200 * static_cast<double>(on.Missed() - missed) / calls;
}

template <typename On>
void FiveShapes(benchmark::State& state, const StepTrace& trace) {
  std::vector<std::unique_ptr<Replay>> shapes;
  for (const double factor : {1.0, 0.55, 0.8, 0.3, 0.7}) {
    shapes.push_back(std::make_unique<Replay>(Scaled(trace, factor)));
  }
  On on;
  size_t turn = 0;
  int64_t calls = 0;
  const auto step = [&] {
    Replay& replay = *shapes[turn++ % shapes.size()];
    const typename On::Step scope(on);
    calls += replay.template Step<Touch::kNothing>(on.memory());
    replay.Finish(on.memory());
  };
  for (int i = 0; i < 10; ++i) {
    step();
    on.Ready();
  }
  // What the second step of the last shape carries is known when the next has ended.
  step();
  on.Ready();
  const int64_t missed = on.Missed();
  calls = 0;
  for (auto _ : state) step();
  state.counters["missed_percent"] =
      200 * static_cast<double>(on.Missed() - missed) / static_cast<double>(calls);
  state.SetItemsProcessed(state.iterations());
}

constexpr int kShapes = 150;
// By then, most of what any shape needs was needed once.
constexpr int kFirstShapes = 30;

// Each step is of another size, on one of the workers, or on this thread if there are none.
template <typename On>
void AnyShape(benchmark::State& state, const StepTrace& trace, size_t num_workers) {
  const auto peak = static_cast<double>(PeakLive(trace));
  Replay replay(trace);
  std::minstd_rand random(1);
  On on;
  std::vector<Worker> workers(num_workers);
  const auto step = [&] {
    const typename On::Step scope(on);
    replay.Step<Touch::kPages>(on.memory());
    replay.Finish(on.memory());
  };
  const auto most_resident = [&] {
    const std::optional<Resident> now = ReadResident();
    return g_before && now ? static_cast<double>(MostBeyond(*g_before, *now)) / peak : 0;
  };
  const int64_t missed = on.Missed();
  int steps = 0;
  for (auto _ : state) {
    const double factor = 0.25 + 0.75 * static_cast<double>(random() % 1000) / 999;
    replay.ChangeTo(Scaled(trace, factor));
    if (workers.empty()) {
      step();
    } else {
      workers[random() % num_workers].Do(step);
    }
    if (++steps == kFirstShapes) state.counters["early_rss"] = most_resident();
  }
  Average(state, "misses", static_cast<double>(on.Missed() - missed));
  state.counters["rss"] = most_resident();
  state.SetItemsProcessed(state.iterations());
}

template <typename On>
void RegisterContender(const std::string& contender, const std::string& name,
                       const StepTrace& trace) {
  const std::string end = ":" + name + "/" + contender;
  const auto add = [&](const std::string& loop, auto function) {
    return benchmark::RegisterBenchmark((loop + end).c_str(), function);
  };
  using State = benchmark::State;
  add("Calls", [=](State& s) { Calls<On>(s, trace); });
  add("Touched", [=](State& s) { Touched<On>(s, trace); })->Unit(benchmark::kMillisecond);
  for (const int threads : {1, 2, 4, 8}) {
    add("Threads" + std::to_string(threads), [=](State& s) {
      Threads<On>(s, trace, threads);
    })->UseManualTime();
  }
  add("FiveShapes", [=](State& s) { FiveShapes<On>(s, trace); })->Iterations(200);
  add("AnyShape", [=](State& s) { AnyShape<On>(s, trace, 0); })->Iterations(kShapes);
  add("AnyShapeAnyThread", [=](State& s) { AnyShape<On>(s, trace, 8); })->Iterations(kShapes);
}

void Register(const std::string& name, const StepTrace& trace) {
  RegisterContender<OnArena<true>>("arena", name, trace);
  RegisterContender<OnArena<false>>("arena_small_pages", name, trace);
  RegisterContender<OnMalloc>("malloc", name, trace);
  RegisterContender<OnBaseline<DeepRecBaseline>>("deeprec", name, trace);
  RegisterContender<OnBaseline<BumpReset>>("bump_reset", name, trace);
  RegisterContender<OnBaseline<OneShot>>("one_shot", name, trace);
}

// Traces named on the command line; nothing remains of them there.
Status RegisterTraces(int* argc, char** argv) {
  Register("synthetic", SyntheticStep(1000, 1));
  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    const std::string argument = argv[i];
    const size_t sign = argument.find('=');
    if (argument.starts_with("-") || sign == std::string::npos) {
      argv[kept++] = argv[i];
      continue;
    }
    const Expected<StepTrace> trace = ReadStepTrace(argument.substr(sign + 1));
    if (!trace) return tl::unexpected(trace.error());
    Register(argument.substr(0, sign), *trace);
  }
  *argc = kept;
  argv[kept] = nullptr;
  return {};
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  if (const plimsoll::Status read = plimsoll::RegisterTraces(&argc, argv); !read) {
    std::fprintf(stderr, "arena_replay_benchmark: %s\n", read.error().message.c_str());
    return 2;
  }
  benchmark::AddCustomContext("malloc", plimsoll::LibraryOfMalloc());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  plimsoll::g_before = plimsoll::ReadResident();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
