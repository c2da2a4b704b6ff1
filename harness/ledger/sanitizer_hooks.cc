// The way into the heap where a sanitizer owns malloc: its hooks. Heap only; descriptors,
// mappings and threads are the sanitizer's to interpose.

#include <dlfcn.h>
#include <unwind.h>

#include "harness/ledger/state.h"

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

struct Search {
  const void* after_entry = nullptr;
  const void* outermost = nullptr;
  bool in_entry = false;
  int depth = 0;
};

_Unwind_Reason_Code Look(_Unwind_Context* context, void* search_pointer) {
  auto& search = *static_cast<Search*>(search_pointer);
  auto* address = reinterpret_cast<void*>(_Unwind_GetIP(context));
  if (address == nullptr) return _URC_END_OF_STACK;
  if (search.in_entry) {
    search.after_entry = address;
    return _URC_END_OF_STACK;
  }
  search.outermost = address;
  // A return address may be one past the end of its function.
  void* function = _Unwind_FindEnclosingFunction(static_cast<char*>(address) - 1);
  for (void* entry : entries) search.in_entry |= function != nullptr && function == entry;
  return ++search.depth < 16 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

const void* Caller() {
  Search search;
  _Unwind_Backtrace(&Look, &search);
  return search.after_entry != nullptr ? search.after_entry : search.outermost;
}

void OnMalloc(const volatile void* block, size_t size) {
  if (block == nullptr || Suppressed()) return;
  const void* caller;
  {
    Suppress own;
    caller = Caller();
  }
  EnterBlock(const_cast<void*>(block), size, caller);
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
