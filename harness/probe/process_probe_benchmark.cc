// What a sample costs, beside the reads it is made of. The process has `mappings`
// mappings and `descriptors` descriptors more than it started with.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "harness/probe/process_probe.h"

namespace plimsoll {
namespace {

void Sample(benchmark::State& state, SampleLevel level, bool reset_hwm) {
  std::vector<void*> pages;
  std::vector<int> descriptors;
  for (int64_t i = 0; i < state.range(0); ++i) {
    // Alternating protection keeps the kernel from merging neighbours.
    const int protection = i % 2 == 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    pages.push_back(mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (i < 256) descriptors.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  ProcessProbe probe = ProcessProbe::ForSelf({.reset_hwm = reset_hwm});
  for (auto _ : state) benchmark::DoNotOptimize(probe.Sample(level));
  for (void* page : pages) munmap(page, 4096);
  for (const int descriptor : descriptors) close(descriptor);
}

BENCHMARK_CAPTURE(Sample, every_iteration, SampleLevel::kEveryIteration, true)
    ->ArgName("mappings")
    ->Arg(0)
    ->Arg(1000);
BENCHMARK_CAPTURE(Sample, every_iteration_no_hwm_reset, SampleLevel::kEveryIteration, false)
    ->ArgName("mappings")
    ->Arg(0);
BENCHMARK_CAPTURE(Sample, full, SampleLevel::kFull, true)->ArgName("mappings")->Arg(0)->Arg(1000);

void ReadOneFile(benchmark::State& state, const char* path) {
  HeldFile file;
  file.Open(AT_FDCWD, path, O_RDONLY);
  size_t lines = 0;
  for (auto _ : state) file.ForEachLine([&](std::string_view) { ++lines; });
  benchmark::DoNotOptimize(lines);
}
BENCHMARK_CAPTURE(ReadOneFile, status, "/proc/self/status");
BENCHMARK_CAPTURE(ReadOneFile, stat, "/proc/self/stat");
BENCHMARK_CAPTURE(ReadOneFile, smaps_rollup, "/proc/self/smaps_rollup");
BENCHMARK_CAPTURE(ReadOneFile, maps, "/proc/self/maps");

}  // namespace
}  // namespace plimsoll
