#ifndef HARNESS_LEDGER_UNWIND_H_
#define HARNESS_LEDGER_UNWIND_H_

// Call stacks from inside malloc: no allocation, no lock, no call into another library but
// the loader's lock-free _dl_find_object. x86-64.
//
// Thread-safety: every function may be called from any thread.
//
// The rule that leads from one frame to the next depends on the return address alone: it
// is read from .eh_frame once and kept. Code without it (made at run time) is followed by
// its frame pointer as long as that stays on this thread's stack; a stack ends where
// neither leads on, or at a signal's frame.

#include <cstddef>
#include <cstdint>

namespace plimsoll::ledger {

struct Stack {
  size_t count = 0;
  uint64_t hash = 0;
  uint64_t addresses[64];
};

// From the caller of the function whose frame (__builtin_frame_address(0)) is given:
// return addresses, innermost first, at most `capacity` (of 64).
void CaptureStack(const void* frame, size_t capacity, Stack* stack);

// After a dlclose: what is known of addresses may be another module's.
void ForgetUnwindRules();

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_UNWIND_H_
