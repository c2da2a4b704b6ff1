#ifndef HARNESS_LEDGER_UNWIND_RULES_H_
#define HARNESS_LEDGER_UNWIND_RULES_H_

// What .eh_frame says about one return address, as far as x86-64 compilers use it.
// Thread-safe; allocates nothing.

#include <cstdint>

namespace plimsoll::ledger {

// How to leave a frame. CFA: the stack pointer before the call; the return address stands
// 8 bytes below it.
struct UnwindRule {
  enum class Cfa : uint8_t {
    kEnd,           // outermost frame
    kUnknown,       // no rule for this address: perhaps by frame pointer
    kStackPointer,  // rsp + cfa_offset
    kFramePointer,  // rbp + cfa_offset
    kIndirect,      // *(rbp + cfa_offset): frames with a stack aligned beyond 16 bytes
  };
  enum class Saved : uint8_t {
    kSame,     // rbp is the caller's
    kAtCfa,    // *(CFA + rbp_offset)
    kAtFrame,  // *(rbp + rbp_offset)
  };
  Cfa cfa = Cfa::kUnknown;
  Saved rbp = Saved::kSame;
  int32_t cfa_offset = 0;
  int16_t rbp_offset = 0;
};

// The rule in force at `address`, an instruction of a loaded module.
UnwindRule FindUnwindRule(uint64_t address);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_UNWIND_RULES_H_
