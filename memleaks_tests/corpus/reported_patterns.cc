// Planted: what real reports against inference engines turned out to be
// (the table of anchors/openvino.md), but for those that are about threads.

#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <set>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace reported_patterns {

// A root task for every inference, on a cache line of its own, never destroyed.
struct RootTaskKept : PatternRun {
  struct alignas(128) Task {
    Task* parent;
    std::array<std::byte, 120> body;
  };
  PLIMSOLL_SITE void SpawnRoot() {
    last = new Task{last, {}};
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { SpawnRoot(); }
  ~RootTaskKept() override {
    while (last != nullptr) delete std::exchange(last, last->parent);
  }
  Task* last = nullptr;
};

// Code generated for each new shape: a mapping that can be executed, never unmapped.
struct CodePerShape : PatternRun {
  static constexpr size_t kBytes = 8192;
  PLIMSOLL_SITE void GenerateKernel() {
    void* code = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    std::memset(code, 0xc3, kBytes);  // ret
    if (mprotect(code, kBytes, PROT_READ | PROT_EXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "mprotect");
    }
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { GenerateKernel(); }
};

// The cache of primitives is switched off; the one of kernels below it is not.
struct KernelCacheUnbounded : PatternRun {
  explicit KernelCacheUnbounded(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void CacheKernel(uint64_t key) {
    kernels.try_emplace(key, 768);
    PLIMSOLL_SITE_END();
  }
  // Practically never the same key twice.
  void Iterate() override { CacheKernel(random()); }
  std::unordered_map<uint64_t, std::vector<std::byte>> kernels;
  std::mt19937_64 random;
};

// The key compares an address, so the same model is never found again.
struct CacheKeyMisses : PatternRun {
  struct Model {
    std::string name = "resnet50";
  };
  PLIMSOLL_SITE void CompileOrFind(const std::shared_ptr<Model>& model) {
    auto& compiled = cache[model.get()];
    if (compiled.first == nullptr) compiled = {model, std::vector<std::byte>(2048)};
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { CompileOrFind(std::make_shared<Model>()); }
  std::map<const Model*, std::pair<std::shared_ptr<Model>, std::vector<std::byte>>> cache;
};

// Each print of the network keeps its text: about 0.17 MB.
struct PrintsKept : PatternRun {
  PLIMSOLL_SITE void PrintNetwork() {
    prints.push_back(std::make_unique<std::string>(178'000, '.'));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { PrintNetwork(); }
  std::vector<std::unique_ptr<std::string>> prints;
};

// Shared weights held weakly: the weights go, the keys and the dead entries stay.
struct DeadWeakEntries : PatternRun {
  PLIMSOLL_SITE void ShareWeights(const std::shared_ptr<std::vector<float>>& weights) {
    shared["weights/" + std::to_string(next++) + "/of/a/model/that/is/gone"] = weights;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ShareWeights(std::make_shared<std::vector<float>>(4096)); }
  std::map<std::string, std::weak_ptr<std::vector<float>>> shared;
  uint64_t next = 0;
};

// A session's arena outlives its session.
struct SessionArenaKept : PatternRun {
  PLIMSOLL_SITE void OpenSession() {
    arenas.push_back(std::make_unique_for_overwrite<std::byte[]>(64 << 10));
    arenas.back()[0] = std::byte{1};
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { OpenSession(); }
  std::vector<std::unique_ptr<std::byte[]>> arenas;
};

// Node arguments by name, 120 objects a session, lost when the session is closed.
struct SessionMapsLost : PatternRun {
  using Names = std::map<int, std::array<std::byte, 24>>;
  PLIMSOLL_SITE void IndexNodes() {
    auto* names = new Names;
    for (int i = 0; i < 120; ++i) names->try_emplace(i);
    // Beyond reach from here on.
    asm volatile("" : : "r"(names) : "memory");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { IndexNodes(); }
};

// The symbol table keeps the names of every load.
struct SymbolsPerLoad : PatternRun {
  PLIMSOLL_SITE void LoadSymbols() {
    for (int i = 0; i < 16; ++i) {
      symbols.insert("layer" + std::to_string(i) + "/load" + std::to_string(load) + "/kernel");
    }
    ++load;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { LoadSymbols(); }
  std::set<std::string> symbols;
  uint64_t load = 0;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"root_task_kept", false, kHeap, 128, 1, "SpawnRoot", "openvino #24483", MakeRun<RootTaskKept>},
    {"code_per_shape", false, ResourceKind::kMapping, CodePerShape::kBytes, 1, "GenerateKernel",
     "openvino #20633", MakeRun<CodePerShape>},
    {"kernel_cache_unbounded", false, kHeap, 768, 1, "CacheKernel", "oneDNN PR 1757",
     MakeRun<KernelCacheUnbounded>},
    {"cache_key_misses", false, kHeap, 2048, 1, "CompileOrFind", "openvino #11669 / PR 12053",
     MakeRun<CacheKeyMisses>},
    {"prints_kept", false, kHeap, 178'001, 1, "PrintNetwork", "openvino #11727",
     MakeRun<PrintsKept>},
    {"dead_weak_entries", false, kHeap, 64, 1, "ShareWeights", "openvino WeightsSharing",
     MakeRun<DeadWeakEntries>},
    {"session_arena_kept", false, kHeap, 65'536, 1, "OpenSession", "onnxruntime #4093, #5176",
     MakeRun<SessionArenaKept>},
    {"session_maps_lost", false, kHeap, 120 * 28, 1, "IndexNodes", "onnxruntime #11529",
     MakeRun<SessionMapsLost>},
    {"symbols_per_load", false, kHeap, 16 * 32, 1, "LoadSymbols", "names kept for every load",
     MakeRun<SymbolsPerLoad>},
};

}  // namespace reported_patterns

std::span<const Pattern> ReportedPatterns() { return reported_patterns::kPatterns; }

}  // namespace plimsoll
