// operator new and delete in all their forms, on the next malloc.

#include <dlfcn.h>
#include <stdlib.h>

#include <cstddef>
#include <new>

#include "harness/ledger/interpose.h"
#include "harness/ledger/interpose_heap.h"

#define PLIMSOLL_OPERATOR __attribute__((visibility("default"), noinline))

namespace {

using plimsoll::ledger::EnterBlock;
using plimsoll::ledger::HeapReady;
using plimsoll::ledger::next_heap;
using plimsoll::ledger::ReleaseBlock;
using plimsoll::ledger::Rounded;
using plimsoll::ledger::state;

// The C++ library's own function, which knows new handlers and can throw; a preloaded
// allocator's may abort instead (mimalloc). The library may be in no global scope, as when
// Python loads a C++ extension.
void* FindCxx(const char* name) {
  plimsoll::ledger::Suppress own;
  for (const char* library : {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"}) {
    void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) continue;
    if (void* found = dlsym(handle, name)) return found;
  }
  return dlsym(RTLD_NEXT, name);
}

// Out of memory: runs the new handler until there is some, or throws std::bad_alloc.
template <typename... Arguments>
void* NewOrThrow(const char* name, size_t size, const void* frame, Arguments... arguments) {
  auto* next = reinterpret_cast<void* (*)(size_t, Arguments...)>(FindCxx(name));
  if (next == nullptr) abort();  // code in C++ without a C++ library: nothing can be thrown
  void* block = next(size, arguments...);
  if (!state.heap.Contains(block)) EnterBlock(block, size, frame);
  return block;
}

inline void* Allocate(size_t size, const void* frame) {
  void* block =
      HeapReady() ? next_heap.malloc(Rounded(size)) : plimsoll::ledger::BootstrapAllocate(size);
  EnterBlock(block, size, frame);
  return block;
}

inline void* AllocateAligned(size_t size, size_t alignment, const void* frame) {
  void* block = HeapReady() ? next_heap.memalign(alignment, Rounded(size)) : nullptr;
  EnterBlock(block, size, frame);
  return block;
}

}  // namespace

PLIMSOLL_OPERATOR void* operator new(size_t size) {
  void* block = Allocate(size, PLIMSOLL_FRAME);
  return __builtin_expect(block != nullptr, 1) ? block : NewOrThrow("_Znwm", size, PLIMSOLL_FRAME);
}

PLIMSOLL_OPERATOR void* operator new[](size_t size) {
  void* block = Allocate(size, PLIMSOLL_FRAME);
  return __builtin_expect(block != nullptr, 1) ? block : NewOrThrow("_Znam", size, PLIMSOLL_FRAME);
}

PLIMSOLL_OPERATOR void* operator new(size_t size, std::align_val_t alignment) {
  void* block = AllocateAligned(size, static_cast<size_t>(alignment), PLIMSOLL_FRAME);
  return __builtin_expect(block != nullptr, 1)
             ? block
             : NewOrThrow("_ZnwmSt11align_val_t", size, PLIMSOLL_FRAME, alignment);
}

PLIMSOLL_OPERATOR void* operator new[](size_t size, std::align_val_t alignment) {
  void* block = AllocateAligned(size, static_cast<size_t>(alignment), PLIMSOLL_FRAME);
  return __builtin_expect(block != nullptr, 1)
             ? block
             : NewOrThrow("_ZnamSt11align_val_t", size, PLIMSOLL_FRAME, alignment);
}

// The nothrow forms run the new handler too, but through the C++ library, which catches.
PLIMSOLL_OPERATOR void* operator new(size_t size, const std::nothrow_t& nothrow) noexcept {
  void* block = Allocate(size, PLIMSOLL_FRAME);
  if (__builtin_expect(block != nullptr, 1)) return block;
  return NewOrThrow<const std::nothrow_t&>("_ZnwmRKSt9nothrow_t", size, PLIMSOLL_FRAME, nothrow);
}

PLIMSOLL_OPERATOR void* operator new[](size_t size, const std::nothrow_t& nothrow) noexcept {
  void* block = Allocate(size, PLIMSOLL_FRAME);
  if (__builtin_expect(block != nullptr, 1)) return block;
  return NewOrThrow<const std::nothrow_t&>("_ZnamRKSt9nothrow_t", size, PLIMSOLL_FRAME, nothrow);
}

PLIMSOLL_OPERATOR void* operator new(size_t size, std::align_val_t alignment,
                                     const std::nothrow_t& nothrow) noexcept {
  void* block = AllocateAligned(size, static_cast<size_t>(alignment), PLIMSOLL_FRAME);
  if (__builtin_expect(block != nullptr, 1)) return block;
  return NewOrThrow<std::align_val_t, const std::nothrow_t&>(
      "_ZnwmSt11align_val_tRKSt9nothrow_t", size, PLIMSOLL_FRAME, alignment, nothrow);
}

PLIMSOLL_OPERATOR void* operator new[](size_t size, std::align_val_t alignment,
                                       const std::nothrow_t& nothrow) noexcept {
  void* block = AllocateAligned(size, static_cast<size_t>(alignment), PLIMSOLL_FRAME);
  if (__builtin_expect(block != nullptr, 1)) return block;
  return NewOrThrow<std::align_val_t, const std::nothrow_t&>(
      "_ZnamSt11align_val_tRKSt9nothrow_t", size, PLIMSOLL_FRAME, alignment, nothrow);
}

PLIMSOLL_OPERATOR void operator delete(void* block) noexcept { ReleaseBlock(block); }
PLIMSOLL_OPERATOR void operator delete[](void* block) noexcept { ReleaseBlock(block); }
PLIMSOLL_OPERATOR void operator delete(void* block, size_t) noexcept { ReleaseBlock(block); }
PLIMSOLL_OPERATOR void operator delete[](void* block, size_t) noexcept { ReleaseBlock(block); }
PLIMSOLL_OPERATOR void operator delete(void* block, std::align_val_t) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete[](void* block, std::align_val_t) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete(void* block, size_t, std::align_val_t) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete[](void* block, size_t, std::align_val_t) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete(void* block, const std::nothrow_t&) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete[](void* block, const std::nothrow_t&) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete(void* block, std::align_val_t,
                                       const std::nothrow_t&) noexcept {
  ReleaseBlock(block);
}
PLIMSOLL_OPERATOR void operator delete[](void* block, std::align_val_t,
                                         const std::nothrow_t&) noexcept {
  ReleaseBlock(block);
}
