#ifndef HARNESS_LEDGER_INTERPOSE_H_
#define HARNESS_LEDGER_INTERPOSE_H_

// How an interposed function finds the one it stands in for, and who called it.
// Thread-safe.

#include <dlfcn.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/state.h"

// Seen by every module of the process, in place of the C library's.
#define PLIMSOLL_INTERPOSED extern "C" __attribute__((visibility("default"), noinline))

// The interposed function's own frame, from which its callers are found.
#define PLIMSOLL_FRAME __builtin_frame_address(0)

namespace plimsoll::ledger {

// The next definition of a function: a preloaded allocator's or the C library's. Null
// when there is none.
class Next {
 public:
  explicit constexpr Next(const char* name) : name_(name) {}
  void* Get() {
    void* found = found_.load(std::memory_order_acquire);
    if (__builtin_expect(found == nullptr, 0)) {
      Suppress own;
      found = dlsym(RTLD_NEXT, name_);
      found_.store(found, std::memory_order_release);
    }
    return found;
  }

 private:
  const char* name_;
  std::atomic<void*> found_{nullptr};
};

// PLIMSOLL_NEXT(close)(descriptor): the next close. Interposed functions are not called
// by name in this library, or they would call themselves.
#define PLIMSOLL_NEXT(function)                                      \
  reinterpret_cast<decltype(&::function)>([]() {                     \
    static constinit ::plimsoll::ledger::Next definition(#function); \
    return definition.Get();                                         \
  }())

// True when the allocator itself called: what it maps backs heap blocks, which are counted
// already.
bool CalledByAllocator(const void* frame);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_INTERPOSE_H_
