// The entry of libFuzzer for the target named when this file is compiled.

#include "harness/runner/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plimsoll::PLIMSOLL_FUZZ_TARGET(data, size);
  return 0;
}
