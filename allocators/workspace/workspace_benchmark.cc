// What a workspace costs, beside std::pmr::monotonic_buffer_resource, a collector and
// malloc, which is the C library's unless another is preloaded:
//
//   bazel run //allocators/workspace:workspace_benchmark -- --benchmark_filter=Alloc/
//   bazel run //stress_tests:workspace_peers     # under every malloc, with ratios
//
// "LOOP/CONTENDER", an item being one allocation, or one enter and leave of a scope.
// "faults" counts page faults per cycle.

#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "allocators/workspace/configuration.h"
#include "allocators/workspace/deallocator_queue.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/typed_array.h"
#include "allocators/workspace/workspace.h"

namespace plimsoll {
namespace {

constexpr size_t kBlocks = 1000;  // in one Alloc loop
constexpr size_t kBlockBytes = 64;
constexpr size_t kArrays = 500;  // in one training-like cycle
constexpr size_t kPage = 4096;

// Sizes as a training step has them: many small, some large, 209 MiB in all. The same
// on every run.
const std::vector<size_t>& ArraySizes() {
  static const std::vector<size_t> sizes = [] {
    std::vector<size_t> made;
    uint64_t state = 1;
    for (size_t i = 0; i < kArrays; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const uint64_t draw = state >> 33;
      const uint64_t low = i % 10 < 6 ? 8 : i % 10 < 9 ? 14 : 19;  // 256 B, 16 KiB, 512 KiB
      const uint64_t octaves = i % 10 < 6 ? 6 : i % 10 < 9 ? 5 : 4;
      const size_t base = size_t{1} << (low + draw % octaves);
      made.push_back(base + draw / 7 % base);
    }
    return made;
  }();
  return sizes;
}

size_t TotalSize() {
  size_t total = 0;
  for (const size_t size : ArraySizes()) total += (size + 63) / 64 * 64;
  return total;
}

int64_t Faults() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

void TouchPages(void* memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i += kPage) static_cast<volatile char*>(memory)[i] = 1;
}

std::unique_ptr<Workspace> MakeWorkspace(size_t bytes) {
  const Expected<WorkspaceConfiguration> configuration =
      WorkspaceConfigurationBuilder()
          .InitialSize(static_cast<int64_t>(bytes))
          .Allocation(AllocationPolicy::kStrict)
          .Alignment(64)
          .Spill(SpillPolicy::kFail)
          .Build();
  return std::move(Workspace::Create(*configuration, "BENCH").value());
}

// -- One allocation -------------------------------------------------------------------

void AllocWorkspace(benchmark::State& state) {
  const auto workspace = MakeWorkspace(kBlocks * kBlockBytes);
  std::pmr::memory_resource* resource = workspace.get();
  for (auto _ : state) {
    const WorkspaceScope scope = *workspace->Enter();
    for (size_t i = 0; i < kBlocks; ++i) {
      benchmark::DoNotOptimize(resource->allocate(kBlockBytes, 8));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBlocks));
}

void AllocMonotonic(benchmark::State& state) {
  std::vector<std::byte> buffer(kBlocks * kBlockBytes + 64);
  std::pmr::monotonic_buffer_resource monotonic(buffer.data(), buffer.size(),
                                                std::pmr::null_memory_resource());
  std::pmr::memory_resource* resource = &monotonic;
  for (auto _ : state) {
    for (size_t i = 0; i < kBlocks; ++i) {
      benchmark::DoNotOptimize(resource->allocate(kBlockBytes, 8));
    }
    monotonic.release();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBlocks));
}

void AllocMalloc(benchmark::State& state) {
  std::vector<void*> blocks(kBlocks);
  for (auto _ : state) {
    for (void*& block : blocks) benchmark::DoNotOptimize(block = ::malloc(kBlockBytes));
    for (void* block : blocks) ::free(block);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBlocks));
}

// -- One scope ------------------------------------------------------------------------

void ScopeWorkspace(benchmark::State& state) {
  const auto workspace = MakeWorkspace(4096);
  for (auto _ : state) {
    const WorkspaceScope scope = *workspace->Enter();
    benchmark::DoNotOptimize(scope);
  }
  state.SetItemsProcessed(state.iterations());
}

void ScopeNested(benchmark::State& state) {
  const auto outer = MakeWorkspace(4096);
  const auto inner = MakeWorkspace(4096);
  const WorkspaceScope outer_scope = *outer->Enter();
  for (auto _ : state) {
    const WorkspaceScope scope = *inner->Enter();
    benchmark::DoNotOptimize(scope);
  }
  state.SetItemsProcessed(state.iterations());
}

void ScopeMonotonic(benchmark::State& state) {
  std::array<std::byte, 4096> buffer;
  for (auto _ : state) {
    std::pmr::monotonic_buffer_resource monotonic(buffer.data(), buffer.size());
    std::pmr::memory_resource* resource = &monotonic;
    benchmark::DoNotOptimize(resource);
  }
  state.SetItemsProcessed(state.iterations());
}

// -- A training-like cycle of 500 arrays: made in order, dropped in reverse ------------

void CountFaults(benchmark::State& state, int64_t before) {
  state.counters["faults"] = benchmark::Counter(static_cast<double>(Faults() - before),
                                                benchmark::Counter::kAvgIterations);
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kArrays));
}

template <bool kTouch>
void CycleWorkspace(benchmark::State& state) {
  const auto workspace = MakeWorkspace(TotalSize());
  std::pmr::memory_resource* resource = workspace.get();
  const auto cycle = [&] {
    const WorkspaceScope scope = *workspace->Enter();
    for (const size_t size : ArraySizes()) {
      void* block = resource->allocate(size, 64);
      benchmark::DoNotOptimize(block);
      if (kTouch) TouchPages(block, size);
    }
  };
  cycle();
  const int64_t before = Faults();
  for (auto _ : state) cycle();
  CountFaults(state, before);
}

template <bool kTouch>
void CycleTypedArrays(benchmark::State& state) {
  const auto workspace = MakeWorkspace(TotalSize());
  std::vector<TypedArray<char>> arrays;
  arrays.reserve(kArrays);
  const auto cycle = [&] {
    const WorkspaceScope scope = *workspace->Enter();
    for (const size_t size : ArraySizes()) {
      arrays.push_back(*TypedArray<char>::Create(size));
      if (kTouch) TouchPages(arrays.back().unchecked().data(), size);
    }
    arrays.clear();
  };
  cycle();
  const int64_t before = Faults();
  for (auto _ : state) cycle();
  CountFaults(state, before);
}

template <bool kTouch>
void CycleMonotonic(benchmark::State& state) {
  std::unique_ptr<std::byte[]> buffer(new std::byte[TotalSize() + 64]);
  std::pmr::monotonic_buffer_resource monotonic(buffer.get(), TotalSize() + 64,
                                                std::pmr::null_memory_resource());
  std::pmr::memory_resource* resource = &monotonic;
  const auto cycle = [&] {
    for (const size_t size : ArraySizes()) {
      void* block = resource->allocate(size, 64);
      benchmark::DoNotOptimize(block);
      if (kTouch) TouchPages(block, size);
    }
    monotonic.release();
  };
  cycle();
  const int64_t before = Faults();
  for (auto _ : state) cycle();
  CountFaults(state, before);
}

// Lifetime by reference, collected once a cycle: ND4J without workspaces.
template <bool kTouch>
void CycleCollected(benchmark::State& state) {
  DeallocatorQueueOptions options;
  options.background = false;
  DeallocatorQueue queue(options);
  std::pmr::memory_resource* before_queue = SetDetachedResource(&queue);
  std::vector<TypedArray<char>> arrays;
  arrays.reserve(kArrays);
  const auto cycle = [&] {
    for (const size_t size : ArraySizes()) {
      arrays.push_back(*TypedArray<char>::Create(size));
      if (kTouch) TouchPages(arrays.back().unchecked().data(), size);
    }
    arrays.clear();
    queue.Collect();
  };
  cycle();
  const int64_t before = Faults();
  for (auto _ : state) cycle();
  CountFaults(state, before);
  SetDetachedResource(before_queue);
}

template <bool kTouch>
void CycleMalloc(benchmark::State& state) {
  std::vector<void*> blocks(kArrays);
  const auto cycle = [&] {
    for (size_t i = 0; i < kArrays; ++i) {
      benchmark::DoNotOptimize(blocks[i] = ::malloc(ArraySizes()[i]));
      if (kTouch) TouchPages(blocks[i], ArraySizes()[i]);
    }
    for (size_t i = kArrays; i > 0; --i) ::free(blocks[i - 1]);
  };
  cycle();
  const int64_t before = Faults();
  for (auto _ : state) cycle();
  CountFaults(state, before);
}

// -------------------------------------------------------------------------------------

// The file that malloc comes from, so that whoever preloads another can see that it did.
std::string MallocLibrary() {
  Dl_info info = {};
  void* function = ::dlsym(RTLD_DEFAULT, "malloc");
  if (function == nullptr || ::dladdr(function, &info) == 0 || info.dli_fname == nullptr) return "";
  return info.dli_fname;
}

void Register() {
  const auto add = [](const char* name, void (*function)(benchmark::State&)) {
    benchmark::RegisterBenchmark(name, function);
  };
  add("Alloc/workspace", &AllocWorkspace);
  add("Alloc/monotonic", &AllocMonotonic);
  add("Alloc/malloc", &AllocMalloc);
  add("Scope/workspace", &ScopeWorkspace);
  add("Scope/nested", &ScopeNested);
  add("Scope/monotonic", &ScopeMonotonic);
  add("Cycle/workspace", &CycleWorkspace<false>);
  add("Cycle/typed_arrays", &CycleTypedArrays<false>);
  add("Cycle/monotonic", &CycleMonotonic<false>);
  add("Cycle/collected", &CycleCollected<false>);
  add("Cycle/malloc", &CycleMalloc<false>);
  add("CycleTouched/workspace", &CycleWorkspace<true>);
  add("CycleTouched/typed_arrays", &CycleTypedArrays<true>);
  add("CycleTouched/monotonic", &CycleMonotonic<true>);
  add("CycleTouched/collected", &CycleCollected<true>);
  add("CycleTouched/malloc", &CycleMalloc<true>);
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  plimsoll::Register();
  benchmark::AddCustomContext("malloc", plimsoll::MallocLibrary());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
