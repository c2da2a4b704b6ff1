#ifndef HARNESS_LEDGER_INTERPOSE_HEAP_H_
#define HARNESS_LEDGER_INTERPOSE_HEAP_H_

// The allocator behind the interposed functions, and blocks handed out while it is being
// looked for. Thread-safe.

#include <cstddef>
#include <cstdint>

#include "harness/ledger/state.h"

namespace plimsoll::ledger {

struct NextHeap {
  void* (*malloc)(size_t);
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void (*free)(void*);
  void* (*memalign)(size_t, size_t);
  void* (*aligned_alloc)(size_t, size_t);
  int (*posix_memalign)(void**, size_t, size_t);
  void* (*valloc)(size_t);
  void* (*pvalloc)(size_t);
};
extern NextHeap next_heap;

// True once next_heap can be called; false on the thread that is looking it up, whose
// own blocks (dlsym's) come from BootstrapAllocate and are never freed.
bool FindNextHeap();
inline bool HeapReady() {
  return __builtin_expect(next_heap.malloc != nullptr, 1) || FindNextHeap();
}
constexpr size_t kBootstrapBytes = 64 * 1024;
extern char bootstrap[kBootstrapBytes];
void* BootstrapAllocate(size_t size);
inline bool IsBootstrap(const void* block) {
  return reinterpret_cast<uint64_t>(block) - reinterpret_cast<uint64_t>(bootstrap) <
         kBootstrapBytes;
}
size_t BootstrapSizeAtMost(const void* block);

// Requests below 16 bytes get 16, so that each block has a 16-byte cell of its own.
inline size_t Rounded(size_t size) { return size < 16 ? 16 : size; }

inline void ReleaseBlock(void* block) {
  if (block == nullptr || __builtin_expect(IsBootstrap(block) || !HeapReady(), 0)) return;
  LeaveBlock(block);
  next_heap.free(block);
}

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_INTERPOSE_HEAP_H_
