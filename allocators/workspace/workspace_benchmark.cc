// What a workspace costs, beside std::pmr::monotonic_buffer_resource and the mallocs:
// the same loops run here, and again in a child of this program under each malloc that
// is installed (LD_PRELOAD). The table at the end puts them side by side.
//
//   bazel run //allocators/workspace:workspace_benchmark
//   bazel run //allocators/workspace:workspace_benchmark -- --benchmark_filter=Alloc/
//
// Times are CPU time; the table shows the fastest of three repetitions. "faults" counts
// page faults per cycle.

#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
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

// What a child is told by its environment: whose malloc it should have, and the file
// for its times.
constexpr const char* kChildMalloc = "PLIMSOLL_BENCHMARK_MALLOC";
constexpr const char* kChildTimes = "PLIMSOLL_BENCHMARK_TIMES";

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
}

void ScopeNested(benchmark::State& state) {
  const auto outer = MakeWorkspace(4096);
  const auto inner = MakeWorkspace(4096);
  const WorkspaceScope outer_scope = *outer->Enter();
  for (auto _ : state) {
    const WorkspaceScope scope = *inner->Enter();
    benchmark::DoNotOptimize(scope);
  }
}

void ScopeMonotonic(benchmark::State& state) {
  std::array<std::byte, 4096> buffer;
  for (auto _ : state) {
    std::pmr::monotonic_buffer_resource monotonic(buffer.data(), buffer.size());
    std::pmr::memory_resource* resource = &monotonic;
    benchmark::DoNotOptimize(resource);
  }
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

// -- The comparison -------------------------------------------------------------------

struct Peer {
  const char* name;
  const char* library;
};
constexpr std::array<Peer, 3> kPeers = {{{"jemalloc", "libjemalloc.so.2"},
                                         {"tcmalloc", "libtcmalloc_minimal.so.4"},
                                         {"mimalloc", "libmimalloc.so.2"}}};

struct Measured {
  double nanoseconds = 0;
  double faults = -1;  // below 0: not counted
};
// By loop ("Alloc"), then by who ran it ("workspace"): the fastest repetition.
using Table = std::map<std::string, std::map<std::string, Measured>>;

void Note(Table& table, const std::string& name, const std::string& malloc_name, double nanoseconds,
          double faults) {
  const size_t slash = name.find('/');
  std::string who = name.substr(slash + 1, name.find('/', slash + 1) - slash - 1);
  if (who == "malloc") who = malloc_name;
  Measured& measured = table[name.substr(0, slash)][who];
  if (measured.nanoseconds == 0 || nanoseconds < measured.nanoseconds) {
    measured = {nanoseconds, faults};
  }
}

// Prints as usual and keeps the times.
class KeepingReporter final : public benchmark::ConsoleReporter {
 public:
  KeepingReporter(Table& table, std::string malloc_name)
      : table_(table), malloc_name_(std::move(malloc_name)) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const auto faults = run.counters.find("faults");
      Note(table_, run.benchmark_name(), malloc_name_, run.GetAdjustedCPUTime(),
           faults == run.counters.end() ? -1 : static_cast<double>(faults->second));
    }
    ConsoleReporter::ReportRuns(runs);
  }

 private:
  Table& table_;
  const std::string malloc_name_;
};

bool MallocComesFrom(std::string_view library) {
  Dl_info info = {};
  void* function = ::dlsym(RTLD_DEFAULT, "malloc");
  if (function == nullptr || ::dladdr(function, &info) == 0 || info.dli_fname == nullptr) {
    return false;
  }
  const std::string_view file(info.dli_fname);
  return file.find(library.substr(0, library.find('.'))) != std::string_view::npos;
}

void WriteTimes(const Table& table, const char* path) {
  std::ofstream file(path);
  for (const auto& [loop, by_who] : table) {
    for (const auto& [who, measured] : by_who) {
      file << loop << " " << measured.nanoseconds << " " << measured.faults << "\n";
    }
  }
}

// Runs the malloc loops in a child under `peer` and adds its times. Says so when the
// library is not there.
void RunPeer(const Peer& peer, const std::vector<std::string>& arguments, Table& table) {
  char times[] = "/tmp/plimsoll-benchmark-XXXXXX";
  const int descriptor = ::mkstemp(times);
  if (descriptor < 0) return;
  ::close(descriptor);
  std::vector<std::string> words = {"workspace_benchmark"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string preload = std::string("LD_PRELOAD=") + peer.library;
  std::string whose = std::string(kChildMalloc) + "=" + peer.library;
  std::string where = std::string(kChildTimes) + "=" + times;
  std::vector<char*> variables = {preload.data(), whose.data(), where.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);
  std::printf("\n-- malloc of %s\n", peer.name);
  std::fflush(stdout);
  pid_t child = -1;
  int status = -1;
  if (::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv.data(), variables.data()) !=
          0 ||
      ::waitpid(child, &status, 0) != child || status != 0) {
    std::printf("%s: %s is not installed, or its run failed: left out\n", peer.name, peer.library);
  }
  std::ifstream file(times);
  std::string loop;
  Measured measured;
  while (file >> loop >> measured.nanoseconds >> measured.faults) {
    table[loop][peer.name] = measured;
  }
  ::unlink(times);
}

void PrintTable(const Table& table) {
  std::printf("\nCPU time per operation, and how many times the workspace's:\n");
  for (const auto& [loop, by_who] : table) {
    const auto workspace = by_who.find("workspace");
    const bool scope = loop == "Scope";
    const double per = loop == "Alloc" ? kBlocks : scope ? 1 : kArrays;
    std::printf("%s (per %s)\n", loop.c_str(), scope ? "enter and leave" : "allocation");
    for (const auto& [who, measured] : by_who) {
      std::printf("  %-14s %10.2f ns", who.c_str(), measured.nanoseconds / per);
      if (workspace != by_who.end()) {
        std::printf("  %8.2f x", measured.nanoseconds / workspace->second.nanoseconds);
      }
      if (measured.faults >= 0) std::printf("  %10.2f faults per cycle", measured.faults);
      std::printf("\n");
    }
  }
}

void Register(bool malloc_only) {
  const auto add = [malloc_only](std::string_view name, void (*function)(benchmark::State&)) {
    if (malloc_only && !name.ends_with("/malloc")) return;
    benchmark::RegisterBenchmark(std::string(name).c_str(), function)->Repetitions(3);
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

int Run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const char* child_malloc = ::getenv(kChildMalloc);
  if (child_malloc != nullptr && !MallocComesFrom(child_malloc)) return 1;
  Register(/*malloc_only=*/child_malloc != nullptr);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Table table;
  KeepingReporter reporter(table, "glibc");
  benchmark::RunSpecifiedBenchmarks(&reporter);
  if (child_malloc != nullptr) {
    if (const char* times = ::getenv(kChildTimes)) WriteTimes(table, times);
    return 0;
  }
  for (const Peer& peer : kPeers) RunPeer(peer, arguments, table);
  PrintTable(table);
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) { return plimsoll::Run(argc, argv); }
