// The way into the heap where a sanitizer owns malloc: its hooks. Heap only; descriptors,
// mappings and threads are the sanitizer's to interpose.

#include <dlfcn.h>
#include <errno.h>
#include <unwind.h>

#include "harness/ledger/state.h"
#include "harness/ledger/unwind.h"

// From <sanitizer/allocator_interface.h>, which gcc does not install.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void* block, size_t size),
    void (*free_hook)(const volatile void* block));

namespace plimsoll::ledger {
namespace {

// Functions of the sanitizer that a program calls for a block. The hook runs some frames
// below one of them; the frame above it is the caller.
constexpr const char* kEntryNames[] = {"malloc",
                                       "calloc",
                                       "realloc",
                                       "reallocarray",
                                       "memalign",
                                       "aligned_alloc",
                                       "valloc",
                                       "pvalloc",
                                       "posix_memalign",
                                       "strdup",
                                       "__strdup",
                                       "strndup",
                                       "__strndup",
                                       "_Znwm",
                                       "_Znam",
                                       "_ZnwmRKSt9nothrow_t",
                                       "_ZnamRKSt9nothrow_t",
                                       "_ZnwmSt11align_val_t",
                                       "_ZnamSt11align_val_t",
                                       "_ZnwmSt11align_val_tRKSt9nothrow_t",
                                       "_ZnamSt11align_val_tRKSt9nothrow_t"};
constexpr size_t kEntries = sizeof kEntryNames / sizeof kEntryNames[0];
void* entries[kEntries];

// Every frame from the hook outwards, and where the caller's begin.
struct Search {
  size_t first = 0;
  bool in_entry = false;
  Stack stack;
};

_Unwind_Reason_Code Look(_Unwind_Context* context, void* search_pointer) {
  auto& search = *static_cast<Search*>(search_pointer);
  const auto address = static_cast<uint64_t>(_Unwind_GetIP(context));
  if (address == 0 || search.stack.count == kMaximumFrames) return _URC_END_OF_STACK;
  if (search.first == 0 && search.in_entry) {
    search.first = search.stack.count;
    if (state.stacks.load(std::memory_order_relaxed) == Stacks::kNone) {
      search.stack.addresses[search.stack.count++] = address;
      return _URC_END_OF_STACK;
    }
  }
  search.stack.addresses[search.stack.count++] = address;
  if (search.first == 0) {
    // A return address may be one past the end of its function.
    void* function = _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(address - 1));
    for (void* entry : entries) search.in_entry |= function != nullptr && function == entry;
  }
  return _URC_NO_REASON;
}

uint32_t SiteOfHook() {
  Suppress own;
  Search search;
  _Unwind_Backtrace(&Look, &search);
  const uint64_t* caller = search.stack.addresses + search.first;
  if (state.stacks.load(std::memory_order_relaxed) == Stacks::kNone) {
    return state.sites.ForCaller(ResourceKind::kHeap, reinterpret_cast<void*>(*caller));
  }
  uint64_t hash = 0;
  const size_t count = search.stack.count - search.first;
  for (size_t i = 0; i < count; ++i) hash = (hash ^ caller[i]) * 0xFF51AFD7ED558CCDu;
  return state.sites.ForStack(ResourceKind::kHeap, caller, count, hash);
}

void OnMalloc(const volatile void* block, size_t size) {
  if (block == nullptr || Suppressed()) return;
  EnterBlockAt(SiteOfHook(), const_cast<void*>(block), size);
}

void OnFree(const volatile void* block) {
  if (block != nullptr) LeaveBlock(const_cast<void*>(block));
}

__attribute__((constructor(101))) void Begin() {
  for (size_t i = 0; i < kEntries; ++i) entries[i] = dlsym(RTLD_DEFAULT, kEntryNames[i]);
  InitializeState();
  const bool installed = __sanitizer_install_malloc_and_free_hooks(&OnMalloc, &OnFree) != 0;
  state.interposed.store(installed, std::memory_order_relaxed);
}

}  // namespace
}  // namespace plimsoll::ledger

// What the hooks leave out (gcc 12): LeakSanitizer's reallocations, ThreadSanitizer's
// aligned blocks. These stand before the sanitizer's own, which have a second name.
#if defined(PLIMSOLL_LEAK_SANITIZER) || defined(PLIMSOLL_THREAD_SANITIZER)
#define PLIMSOLL_BEFORE_SANITIZER extern "C" __attribute__((visibility("default"), noinline))

namespace {

using plimsoll::ledger::EnterBlock;
using plimsoll::ledger::Record;
using plimsoll::ledger::state;

template <typename Function>
Function* Sanitizers(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace
#endif

#ifdef PLIMSOLL_LEAK_SANITIZER
PLIMSOLL_BEFORE_SANITIZER void* realloc(void* block, size_t size) noexcept {
  static auto* const next = Sanitizers<void*(void*, size_t)>("__interceptor_realloc");
  // A hook sees the new block of realloc(NULL, size) and the free of realloc(block, 0).
  Record old;
  const bool known = block != nullptr && size != 0 && state.heap.Take(block, &old);
  void* result = next(block, size);
  if (!known) return result;
  if (result == nullptr) {
    state.heap.Put(block, old);
    return nullptr;
  }
  state.counters.Freed(old.size);
  EnterBlock(result, size, __builtin_frame_address(0));
  return result;
}

PLIMSOLL_BEFORE_SANITIZER void* reallocarray(void* block, size_t count, size_t size) noexcept {
  size_t bytes;
  if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(block, bytes);
  errno = ENOMEM;
  return nullptr;
}
#endif

#ifdef PLIMSOLL_THREAD_SANITIZER
PLIMSOLL_BEFORE_SANITIZER void* aligned_alloc(size_t alignment, size_t size) noexcept {
  static auto* const next = Sanitizers<void*(size_t, size_t)>("__interceptor_aligned_alloc");
  void* block = next(alignment, size);
  EnterBlock(block, size, __builtin_frame_address(0));
  return block;
}

PLIMSOLL_BEFORE_SANITIZER void* memalign(size_t alignment, size_t size) noexcept {
  static auto* const next = Sanitizers<void*(size_t, size_t)>("__interceptor_memalign");
  void* block = next(alignment, size);
  EnterBlock(block, size, __builtin_frame_address(0));
  return block;
}

PLIMSOLL_BEFORE_SANITIZER int posix_memalign(void** result, size_t alignment,
                                             size_t size) noexcept {
  static auto* const next = Sanitizers<int(void**, size_t, size_t)>("__interceptor_posix_memalign");
  const int error = next(result, alignment, size);
  if (error == 0) EnterBlock(*result, size, __builtin_frame_address(0));
  return error;
}
#endif
