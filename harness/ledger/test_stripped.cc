// For stacks_test, built without debug information or local symbols.

#include <cstdint>

namespace {

__attribute__((noinline)) uint64_t ReturnAddress() {
  return reinterpret_cast<uint64_t>(__builtin_return_address(0));
}

__attribute__((noinline)) uint64_t Hidden() {
  const uint64_t address = ReturnAddress();
  __asm__ volatile("");
  return address;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) uint64_t StrippedShown() {
  const uint64_t address = ReturnAddress();
  __asm__ volatile("");
  return address;
}

__attribute__((visibility("default"))) uint64_t StrippedCallsHidden() {
  const uint64_t address = Hidden();
  __asm__ volatile("");
  return address;
}
}
