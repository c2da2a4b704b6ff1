// Planted: blocks that nobody can reach any more, by every call that allocates.

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace unreachable_patterns {

// Lost here; the compiler must not know.
void Forget(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<volatile char*>(block) = 1;
  asm volatile("" : : "r"(block) : "memory");
}

struct MallocLost : PatternRun {
  PLIMSOLL_SITE void ParseHeader() {
    Forget(std::malloc(48));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ParseHeader(); }
};

struct CallocLost : PatternRun {
  PLIMSOLL_SITE void MakeZeroTensor() {
    Forget(std::calloc(32, sizeof(float)));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MakeZeroTensor(); }
};

struct StrdupLost : PatternRun {
  PLIMSOLL_SITE void CopyLabel() {
    Forget(strdup("softmax_with_cross_entropy_loss"));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { CopyLabel(); }
};

// Aligned for vectors, freed by nobody.
struct AlignedLost : PatternRun {
  PLIMSOLL_SITE void AllocateAligned() {
    void* block = nullptr;
    if (posix_memalign(&block, 64, 4096) != 0) throw std::bad_alloc();
    Forget(block);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { AllocateAligned(); }
};

// Grows with realloc and is dropped at its final size.
struct ReallocLost : PatternRun {
  PLIMSOLL_SITE void GrowBuffer() {
    void* buffer = nullptr;
    for (size_t bytes = 64; bytes <= 1024; bytes *= 2) {
      void* larger = std::realloc(buffer, bytes);
      if (larger == nullptr) throw std::bad_alloc();
      buffer = larger;
    }
    Forget(buffer);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { GrowBuffer(); }
};

// Parent and child own each other.
struct CycleLost : PatternRun {
  struct Node {
    std::shared_ptr<Node> other;
    std::array<std::byte, 80> weights;
  };
  PLIMSOLL_SITE void LinkNodes() {
    const auto parent = std::make_shared<Node>();
    parent->other = std::make_shared<Node>();
    parent->other->other = parent;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { LinkNodes(); }
};

// new[] without delete[].
struct ArrayLost : PatternRun {
  PLIMSOLL_SITE void StageWeights() {
    Forget(new float[256]);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { StageWeights(); }
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"malloc_lost", false, kHeap, 48, 1, "ParseHeader", "malloc without free", MakeRun<MallocLost>},
    {"calloc_lost", false, kHeap, 128, 1, "MakeZeroTensor", "calloc without free",
     MakeRun<CallocLost>},
    {"strdup_lost", false, kHeap, 32, 1, "CopyLabel", "strdup without free", MakeRun<StrdupLost>},
    {"aligned_lost", false, kHeap, 4096, 1, "AllocateAligned", "posix_memalign without free",
     MakeRun<AlignedLost>},
    {"realloc_lost", false, kHeap, 1024, 1, "GrowBuffer", "realloc without free",
     MakeRun<ReallocLost>},
    {"cycle_lost", false, kHeap, 224, 1, "LinkNodes", "a cycle of shared pointers",
     MakeRun<CycleLost>},
    {"array_lost", false, kHeap, 1024, 1, "StageWeights", "new[] without delete[]",
     MakeRun<ArrayLost>},
};

}  // namespace unreachable_patterns

std::span<const Pattern> UnreachablePatterns() { return unreachable_patterns::kPatterns; }

}  // namespace plimsoll
