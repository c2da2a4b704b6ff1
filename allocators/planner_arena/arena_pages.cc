#include "allocators/planner_arena/arena_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace plimsoll {
namespace {

constexpr size_t kAlignment = size_t{2} << 20;

class SystemPages final : public ArenaPages {
 public:
  void* Reserve(size_t bytes) override {
    const size_t padded = bytes + kAlignment;
    void* const raw =
        mmap(nullptr, padded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return nullptr;
    const auto begin = reinterpret_cast<uintptr_t>(raw);
    const uintptr_t aligned = (begin + kAlignment - 1) / kAlignment * kAlignment;
    if (aligned > begin) munmap(raw, aligned - begin);
    const size_t tail = begin + padded - (aligned + bytes);
    if (tail > 0) munmap(reinterpret_cast<void*>(aligned + bytes), tail);
    return reinterpret_cast<void*>(aligned);
  }

  bool Commit(void* begin, size_t bytes) override {
    return mprotect(begin, bytes, PROT_READ | PROT_WRITE) == 0;
  }

  void Discard(void* begin, size_t bytes) override { madvise(begin, bytes, MADV_DONTNEED); }

  void Release(void* begin, size_t bytes) override { munmap(begin, bytes); }
};

}  // namespace

ArenaPages& ArenaPages::System() {
  static SystemPages pages;
  return pages;
}

}  // namespace plimsoll
