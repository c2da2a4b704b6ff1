#include "harness/ledger/interpose_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

#include "harness/ledger/interpose.h"

// This library's malloc even where another definition comes first.
extern "C" __attribute__((alias("malloc"), copy(malloc),
                          visibility("hidden"))) void* OwnMalloc(size_t) noexcept;

namespace plimsoll::ledger {

constinit NextHeap next_heap = {};
alignas(16) char bootstrap[kBootstrapBytes];

namespace {

std::atomic<size_t> bootstrap_used{0};
std::atomic<uint32_t> find_state{0};  // 0: not begun, 1: under way, 2: done
__thread bool finding __attribute__((tls_model("initial-exec")));
uint64_t allocator_start = 0;
uint64_t allocator_end = 0;

template <typename Function>
void Find(Function*& slot, void* scope, const char* name) {
  slot = reinterpret_cast<Function*>(dlsym(scope, name));
}

void FindAllocatorModule() {
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(next_heap.malloc), &object) != 0) return;
  allocator_start = reinterpret_cast<uint64_t>(object.dlfo_map_start);
  allocator_end = reinterpret_cast<uint64_t>(object.dlfo_map_end);
}

// The address does not tell: an executable that takes malloc's has an entry of its own for
// it, which leads here. Calling it does: on this thread, now, this malloc hands out
// bootstrap blocks.
bool Hidden() {
  void* (*first)(size_t) = nullptr;
  void (*first_free)(void*) = nullptr;
  Find(first, RTLD_DEFAULT, "malloc");
  Find(first_free, RTLD_DEFAULT, "free");
  if (first == nullptr || first == &OwnMalloc) return false;
  void* block = first(1);
  if (IsBootstrap(block)) return false;
  if (first_free != nullptr) first_free(block);
  return true;
}

__attribute__((constructor(101))) void Begin() { HeapReady(); }

}  // namespace

bool FindNextHeap() {
  if (finding) return false;
  uint32_t not_begun = 0;
  if (!find_state.compare_exchange_strong(not_begun, 1)) {
    while (find_state.load(std::memory_order_acquire) != 2) __builtin_ia32_pause();
    return true;
  }
  finding = true;
  // A malloc linked into the executable stands before this one and hides it; operator new
  // may still come here, and must go on to the same heap.
  const bool hidden = Hidden();
  void* scope = hidden ? RTLD_DEFAULT : RTLD_NEXT;
  NextHeap found = {};
  Find(found.calloc, scope, "calloc");
  Find(found.realloc, scope, "realloc");
  Find(found.free, scope, "free");
  Find(found.memalign, scope, "memalign");
  Find(found.aligned_alloc, scope, "aligned_alloc");
  Find(found.posix_memalign, scope, "posix_memalign");
  Find(found.valloc, scope, "valloc");
  Find(found.pvalloc, scope, "pvalloc");
  next_heap = found;
  Find(found.malloc, scope, "malloc");
  __atomic_store_n(&next_heap.malloc, found.malloc, __ATOMIC_RELEASE);
  // Valgrind puts its own malloc in the place of every other, this one included.
  state.interposed.store(!hidden && RUNNING_ON_VALGRIND == 0, std::memory_order_relaxed);
  finding = false;
  FindAllocatorModule();
  InitializeState();
  find_state.store(2, std::memory_order_release);
  return true;
}

void* BootstrapAllocate(size_t size) {
  if (size > kBootstrapBytes) return nullptr;
  size = (Rounded(size) + 15) & ~size_t{15};
  const size_t start = bootstrap_used.fetch_add(size, std::memory_order_relaxed);
  return start + size <= kBootstrapBytes ? bootstrap + start : nullptr;
}

size_t BootstrapSizeAtMost(const void* block) {
  return kBootstrapBytes -
         (reinterpret_cast<uint64_t>(block) - reinterpret_cast<uint64_t>(bootstrap));
}

bool CalledByAllocator(const void* frame) {
  const auto address = reinterpret_cast<uint64_t>(ReturnAddress(frame));
  return address >= allocator_start && address < allocator_end;
}

}  // namespace plimsoll::ledger

using plimsoll::ledger::BootstrapAllocate;
using plimsoll::ledger::EnterBlock;
using plimsoll::ledger::HeapReady;
using plimsoll::ledger::IsBootstrap;
using plimsoll::ledger::next_heap;
using plimsoll::ledger::Record;
using plimsoll::ledger::Rounded;
using plimsoll::ledger::state;

namespace {

// A reallocation is a new block of its caller's, born now; a failed one changes nothing.
inline void* Reallocate(void* block, size_t size, const void* frame) {
  Record old;
  const bool known = block != nullptr && state.heap.Take(block, &old);
  // realloc(p, 0) may mean free, and is left to the allocator.
  void* result = next_heap.realloc(block, size == 0 && block != nullptr ? 0 : Rounded(size));
  if (result == nullptr && (size != 0 || block == nullptr)) {
    if (known) state.heap.Put(block, old);
    return nullptr;
  }
  if (known) state.counters.Freed(old.size);
  EnterBlock(result, size, frame);
  return result;
}

}  // namespace

PLIMSOLL_INTERPOSED void* malloc(size_t size) noexcept {
  if (!HeapReady()) return BootstrapAllocate(size);
  void* block = next_heap.malloc(Rounded(size));
  EnterBlock(block, size, PLIMSOLL_FRAME);
  return block;
}

PLIMSOLL_INTERPOSED void free(void* block) noexcept { plimsoll::ledger::ReleaseBlock(block); }

PLIMSOLL_INTERPOSED void* calloc(size_t count, size_t size) noexcept {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  if (!HeapReady()) return BootstrapAllocate(bytes);  // handed out once, so still zero
  void* block = next_heap.calloc(1, Rounded(bytes));
  EnterBlock(block, bytes, PLIMSOLL_FRAME);
  return block;
}

PLIMSOLL_INTERPOSED void* realloc(void* block, size_t size) noexcept {
  if (!HeapReady() || __builtin_expect(IsBootstrap(block), 0)) {
    void* moved = HeapReady() ? malloc(size) : BootstrapAllocate(size);
    if (moved != nullptr && block != nullptr) {
      const size_t most = plimsoll::ledger::BootstrapSizeAtMost(block);
      memcpy(moved, block, size < most ? size : most);
    }
    return moved;
  }
  return Reallocate(block, size, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED void* reallocarray(void* block, size_t count, size_t size) noexcept {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  if (!HeapReady() || IsBootstrap(block)) return realloc(block, bytes);
  return Reallocate(block, bytes, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED void* memalign(size_t alignment, size_t size) noexcept {
  if (!HeapReady()) return nullptr;
  void* block = next_heap.memalign(alignment, Rounded(size));
  EnterBlock(block, size, PLIMSOLL_FRAME);
  return block;
}

PLIMSOLL_INTERPOSED void* aligned_alloc(size_t alignment, size_t size) noexcept {
  if (!HeapReady()) return nullptr;
  void* block = next_heap.aligned_alloc(alignment, Rounded(size));
  EnterBlock(block, size, PLIMSOLL_FRAME);
  return block;
}

PLIMSOLL_INTERPOSED int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  if (!HeapReady()) return ENOMEM;
  const int error = next_heap.posix_memalign(result, alignment, Rounded(size));
  if (error == 0) EnterBlock(*result, size, PLIMSOLL_FRAME);
  return error;
}

PLIMSOLL_INTERPOSED void* valloc(size_t size) noexcept {
  if (!HeapReady()) return nullptr;
  void* block = next_heap.valloc(Rounded(size));
  EnterBlock(block, size, PLIMSOLL_FRAME);
  return block;
}

PLIMSOLL_INTERPOSED void* pvalloc(size_t size) noexcept {
  if (!HeapReady()) return nullptr;
  void* block = next_heap.pvalloc(Rounded(size));
  EnterBlock(block, size, PLIMSOLL_FRAME);
  return block;
}
