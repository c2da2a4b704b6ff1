// Innocent: threads, mappings and descriptors that are given back, and warm-up that ends.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <system_error>
#include <thread>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace reuse_patterns {

constexpr size_t kPage = 4096;

void* MapPages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return pages;
}

// A pool of two to four threads for each call, joined.
struct PoolResized : PatternRun {
  PLIMSOLL_SITE void RunPool(size_t workers) {
    std::vector<std::thread> pool;
    for (size_t i = 0; i < workers; ++i) {
      pool.emplace_back([] {
        // Makes the C library give the thread a cache, and take it back.
        const auto scratch = std::make_unique<std::array<std::byte, 512>>();
        asm volatile("" : : "r"(scratch.get()) : "memory");
      });
    }
    for (std::thread& worker : pool) worker.join();
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RunPool(2 + ++iteration % 3); }
  size_t iteration = 0;
};

// State per thread of a fixed pool, made when the thread is first used.
struct PerThreadBounded : PatternRun {
  explicit PerThreadBounded(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void AttachArena(size_t thread) {
    if (!arenas[thread]) arenas[thread] = std::make_unique<std::array<std::byte, 16384>>();
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { AttachArena(random() % arenas.size()); }
  std::array<std::unique_ptr<std::array<std::byte, 16384>>, 8> arenas;
  std::mt19937_64 random;
};

// Code for twelve shapes is generated as they are met, and then only run.
struct JitWarmup : PatternRun {
  explicit JitWarmup(uint64_t seed) : random(seed) {}
  ~JitWarmup() override {
    for (void* kernel : kernels) {
      if (kernel != nullptr) munmap(kernel, kPage);
    }
  }
  PLIMSOLL_SITE void CompileKernel(size_t shape) {
    void* code = MapPages(kPage);
    std::memset(code, 0xc3, kPage);
    if (mprotect(code, kPage, PROT_READ | PROT_EXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "mprotect");
    }
    kernels[shape] = code;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const size_t shape = random() % kernels.size();
    if (kernels[shape] == nullptr) CompileKernel(shape);
  }
  std::array<void*, 12> kernels = {};
  std::mt19937_64 random;
};

// The last four mappings of a model are kept; the oldest goes.
struct MappingRing : PatternRun {
  ~MappingRing() override {
    for (void* mapping : ring) {
      if (mapping != nullptr) munmap(mapping, kPage);
    }
  }
  PLIMSOLL_SITE void RemapModel() {
    void*& slot = ring[next++ % ring.size()];
    if (slot != nullptr) munmap(slot, kPage);
    slot = MapPages(kPage);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RemapModel(); }
  std::array<void*, 4> ring = {};
  size_t next = 0;
};

// Eight files stay open, chosen at random; another takes a slot's place.
struct DescriptorCache : PatternRun {
  explicit DescriptorCache(uint64_t seed) : random(seed) { files.fill(-1); }
  ~DescriptorCache() override {
    for (const int file : files) {
      if (file >= 0) close(file);
    }
  }
  PLIMSOLL_SITE void Reopen(size_t slot) {
    if (files[slot] >= 0) close(files[slot]);
    files[slot] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (files[slot] < 0) throw std::system_error(errno, std::generic_category(), "open");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { Reopen(random() % files.size()); }
  std::array<int, 8> files;
  std::mt19937_64 random;
};

// A whole model is built and dropped: thousands of blocks, none of them kept.
struct BuildAndDrop : PatternRun {
  PLIMSOLL_SITE void BuildModel() {
    std::vector<std::unique_ptr<std::vector<float>>> layers;
    for (size_t i = 1; i <= 100; ++i) layers.push_back(std::make_unique<std::vector<float>>(i * 8));
    asm volatile("" : : "r"(layers.data()) : "memory");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { BuildModel(); }
};

// A file without a name per call, closed again.
struct ScratchFileClosed : PatternRun {
  PLIMSOLL_SITE void SpillAndForget() {
    const int file = memfd_create("plimsoll-corpus", MFD_CLOEXEC);
    if (file < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    const ssize_t written = write(file, "x", 1);
    close(file);
    if (written != 1) throw std::system_error(errno, std::generic_category(), "write");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { SpillAndForget(); }
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"pool_resized", true, ResourceKind::kThread, 0, 0, "RunPool", "threads made and joined",
     MakeRun<PoolResized>},
    {"per_thread_bounded", true, kHeap, 0, 0, "AttachArena", "arenas of a fixed pool",
     MakeRun<PerThreadBounded>},
    {"jit_warmup", true, ResourceKind::kMapping, 0, 0, "CompileKernel", "JIT warm-up",
     MakeRun<JitWarmup>},
    {"mapping_ring", true, ResourceKind::kMapping, 0, 0, "RemapModel", "the last four mappings",
     MakeRun<MappingRing>},
    {"descriptor_cache", true, ResourceKind::kDescriptor, 0, 0, "Reopen", "eight open files",
     MakeRun<DescriptorCache>},
    {"build_and_drop", true, kHeap, 0, 0, "BuildModel", "a model built and dropped",
     MakeRun<BuildAndDrop>},
    {"scratch_file_closed", true, ResourceKind::kDescriptor, 0, 0, "SpillAndForget",
     "scratch files given back", MakeRun<ScratchFileClosed>},
};

}  // namespace reuse_patterns

std::span<const Pattern> ReusePatterns() { return reuse_patterns::kPatterns; }

}  // namespace plimsoll
