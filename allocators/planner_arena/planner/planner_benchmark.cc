// What planning takes: generated problems by default, and every trace that is named.
//   bazel run //allocators/planner_arena/planner:planner_benchmark -- --benchmark_filter=. TRACE...
// Counters: gap_percent above the proven bound, optimal (1 or 0), nodes searched.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/lifetimes_file.h"
#include "allocators/planner_arena/planner/planner.h"
#include "allocators/planner_arena/planner/validator.h"
#include "base/caller_folder.h"
#include "base/file.h"

namespace plimsoll {
namespace {

void Measure(benchmark::State& state, const std::vector<Buffer>& buffers,
             const PlanOptions& options) {
  PlanResult result;
  for (auto _ : state) result = MakePlan(buffers, options).value();
  if (const Status valid = ValidateOffsets(buffers, result.plan.offsets, result.plan.height);
      !valid) {
    state.SkipWithError(valid.error().message.c_str());
    return;
  }
  state.counters["buffers"] = static_cast<double>(buffers.size());
  state.counters["gap_percent"] = 100 * result.Gap();
  state.counters["optimal"] = result.optimal();
  state.counters["nodes"] = static_cast<double>(result.nodes);
}

void BM_GuillotineTiles(benchmark::State& state) {
  PlanOptions options;
  options.time_limit = 10;
  Measure(state, PerfectTiles(static_cast<int32_t>(state.range(0)), Cuts::kGuillotine, 1), options);
}
BENCHMARK(BM_GuillotineTiles)
    ->Arg(200)
    ->Arg(1000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMillisecond);

void BM_PinwheelTiles(benchmark::State& state) {
  PlanOptions options;
  options.time_limit = 10;
  Measure(state, PerfectTiles(static_cast<int32_t>(state.range(0)), Cuts::kPinwheels, 1), options);
}
BENCHMARK(BM_PinwheelTiles)->Arg(200)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Arguments: buffers, ticks, rows.
void BM_CoarseTiles(benchmark::State& state) {
  PlanOptions options;
  options.time_limit = 10;
  Measure(state,
          CoarseTiles(static_cast<int32_t>(state.range(0)), state.range(1), state.range(2), 1),
          options);
}
BENCHMARK(BM_CoarseTiles)
    ->ArgsProduct({{200, 1000}, {50, 200, 1000}, {200, 1024, 16'384}})
    ->Args({100'000, 2000, 16'384})
    ->Unit(benchmark::kMillisecond);

// A million buffers in five seconds: greedy by size to its end would take half a minute.
PlanOptions OptionsFor(int64_t buffers) {
  PlanOptions options;
  if (buffers >= 1'000'000) options.time_limit = 4.5;
  return options;
}

void BM_Random(benchmark::State& state) {
  Measure(state, RandomBuffers(static_cast<int32_t>(state.range(0)), 1),
          OptionsFor(state.range(0)));
}
BENCHMARK(BM_Random)->Arg(1000)->Arg(62'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void BM_TraceLike(benchmark::State& state) {
  Measure(state, TraceLike(static_cast<int32_t>(state.range(0)), 1), OptionsFor(state.range(0)));
}
BENCHMARK(BM_TraceLike)
    ->Arg(1000)
    ->Arg(20'000)
    ->Arg(62'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);

void AddTrace(const std::string& path) {
  const Expected<std::string> text = ReadFile(path);
  const Expected<LifetimesFile> file =
      text ? ParseLifetimes(path, *text, false) : tl::unexpected(text.error());
  if (!file) {
    std::fprintf(stderr, "planner_benchmark: %s\n", file.error().message.c_str());
    std::exit(2);
  }
  benchmark::RegisterBenchmark(("Trace/" + path).c_str(), [buffers = file->buffers](
                                                              benchmark::State& state) {
    Measure(state, buffers, {});
  })->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  // Paths are the caller's.
  if (const plimsoll::Status entered = plimsoll::EnterCallerFolder(); !entered) {
    std::fprintf(stderr, "planner_benchmark: %s\n", entered.error().message.c_str());
    return 2;
  }
  benchmark::Initialize(&argc, argv);
  for (int a = 1; a < argc; ++a) {
    if (std::string(argv[a]) != "--") plimsoll::AddTrace(argv[a]);
  }
  benchmark::RunSpecifiedBenchmarks();
}
