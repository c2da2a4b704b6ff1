// A training step in libtorch with its tensors on the planner arena, or on malloc, which
// is the C library's unless another is preloaded. One contender a process:
//
//   bazel run //stress_tests/arena:torch_step_benchmark -- --benchmark_filter=resnet50/arena
//
// "TorchStep:MODEL/CONTENDER", an item being one step, after some that warm up. "faults"
// counts page faults a step, "loss_bits" are those of the last loss; "lower_quartile_ns" is
// the CPU time that a quarter of the steps kept to: what else the machine does only adds.
// Waits for its turn before each step, if it is to take turns.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "stress_tests/arena/preloaded.h"
#include "stress_tests/arena/resident.h"
#include "stress_tests/arena/torch_training.h"
#include "stress_tests/turn.h"

namespace plimsoll {
namespace {

// Recording starts after one step; a plan serves from the sixth on. As many steps on malloc:
// the last losses are compared.
constexpr int kWarmUp = 7;
// Of which the lower quartile is compared.
constexpr int kSteps = 21;

PlannerArena* MakeArena(bool huge_pages) {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 1;
  configuration.stable_statistic_step = 2;
  configuration.huge_pages = huge_pages;
  // libtorch keeps tensors until the process ends.
  PlannerArena* const arena = PlannerArena::Create(configuration).value().release();
  PutTensorsInto(*arena);
  return arena;
}

double ThreadNanoseconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void TorchStep(benchmark::State& state, const std::string& model, int64_t batch,
               PlannerArena* arena) {
  const auto training = TorchTraining::Create(model, batch).value();
  float loss = 0;
  std::vector<double> nanoseconds;
  const auto step = [&] {
    WaitForTurn();
    const double begin = ThreadNanoseconds();
    std::unique_ptr<StepScope> scope;
    if (arena != nullptr) scope = std::make_unique<StepScope>(*arena);
    loss = training->Step();
    scope.reset();
    nanoseconds.push_back(ThreadNanoseconds() - begin);
  };
  for (int i = 0; i < kWarmUp; ++i) {
    step();
    if (arena != nullptr) arena->WaitForPlan();
  }
  if (arena != nullptr && arena->Stats().planned_steps == 0) {
    state.SkipWithError("no plan came to serve");
  }
  nanoseconds.clear();
  const int64_t faults = MinorFaults();
  for (auto _ : state) step();
  std::sort(nanoseconds.begin(), nanoseconds.end());
  state.counters["lower_quartile_ns"] = nanoseconds[nanoseconds.size() / 4];
  state.counters["faults"] = benchmark::Counter(static_cast<double>(MinorFaults() - faults),
                                                benchmark::Counter::kAvgIterations);
  state.counters["loss_bits"] = std::bit_cast<uint32_t>(loss);
  if (arena != nullptr) state.counters["misses"] = static_cast<double>(arena->Stats().misses);
  state.SetItemsProcessed(state.iterations());
}

void Register(const std::string& model, int64_t batch) {
  const auto add = [&](const std::string& contender, auto make_arena) {
    const std::string name = "TorchStep:" + model + "/" + contender;
    benchmark::RegisterBenchmark(
        name.c_str(),
        [=](benchmark::State& state) { TorchStep(state, model, batch, make_arena()); })
        ->Iterations(kSteps)
        ->Unit(benchmark::kMillisecond);
  };
  add("malloc", []() -> PlannerArena* { return nullptr; });
  add("arena", [] { return MakeArena(true); });
  add("arena_small_pages", [] { return MakeArena(false); });
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  plimsoll::Register("resnet50", 8);
  plimsoll::Register("transformer", 2);
  benchmark::AddCustomContext("malloc", plimsoll::LibraryOfMalloc());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
