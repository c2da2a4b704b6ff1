// libFuzzer's entry, the same for every target: PLIMSOLL_FUZZ_TARGET says which.

#include <cstddef>
#include <cstdint>
#include <span>

#include "allocators/mmap_loader/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const plimsoll::weights::FuzzTarget& target =
      plimsoll::weights::FuzzTargetNamed(PLIMSOLL_FUZZ_TARGET);
  target.run(std::as_bytes(std::span(data, size)));
  return 0;
}
