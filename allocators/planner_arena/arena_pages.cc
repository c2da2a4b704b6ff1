#include "allocators/planner_arena/arena_pages.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

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

  bool Populate(void* begin, size_t bytes) override {
    if (madvise(begin, bytes, MADV_POPULATE_WRITE) == 0) return true;
    if (errno != EINVAL) return false;
    // An older kernel: touch each page without changing it.
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    auto* const bytes_of = static_cast<std::byte*>(begin);
    for (size_t at = 0; at < bytes; at += page) {
      volatile std::byte* const one = bytes_of + at;
      *one = *one;
    }
    return true;
  }

  void Uncommit(void* begin, size_t bytes) override {
    madvise(begin, bytes, MADV_DONTNEED);
    mprotect(begin, bytes, PROT_NONE);
  }

  void Release(void* begin, size_t bytes) override { munmap(begin, bytes); }

  bool AdviseHuge(void* begin, size_t bytes) override {
    return madvise(begin, bytes, MADV_HUGEPAGE) == 0;
  }

  bool Interleave(void* begin, size_t bytes) override {
    // Bits of nodes that do not exist are refused, so the mask is what this thread may use.
    constexpr unsigned long kNodes = 1024;
    unsigned long nodes[kNodes / (8 * sizeof(unsigned long))] = {};
    if (syscall(SYS_get_mempolicy, nullptr, nodes, kNodes, nullptr, MPOL_F_MEMS_ALLOWED) != 0) {
      return false;
    }
    return syscall(SYS_mbind, begin, bytes, MPOL_INTERLEAVE, nodes, kNodes, 0) == 0;
  }
};

}  // namespace

ArenaPages& ArenaPages::System() {
  static SystemPages pages;
  return pages;
}

}  // namespace plimsoll
