#include "harness/ledger/direct_leaks.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

extern "C" {
// From <sanitizer/lsan_interface.h> and <sanitizer/common_interface_defs.h>; null in
// builds without a sanitizer.
__attribute__((weak)) int __lsan_do_recoverable_leak_check();
__attribute__((weak)) void __sanitizer_set_report_fd(void* descriptor);
}

namespace plimsoll::ledger {

LeakChecker AvailableLeakChecker() {
  if (&__lsan_do_recoverable_leak_check != nullptr) return LeakChecker::kLeakSanitizer;
  return RUNNING_ON_VALGRIND != 0 ? LeakChecker::kValgrind : LeakChecker::kNone;
}

bool CheckDirectLeaks(uint32_t iteration, int descriptor) {
  switch (AvailableLeakChecker()) {
    case LeakChecker::kNone:
      return false;
    case LeakChecker::kValgrind:
      VALGRIND_PRINTF("plimsoll: iteration %u\n", iteration);
      VALGRIND_DO_ADDED_LEAK_CHECK;
      return true;
    case LeakChecker::kLeakSanitizer:
      break;
  }
  char line[64];
  const int length = snprintf(line, sizeof line, "plimsoll: iteration %u\n", iteration);
  if (write(descriptor, line, static_cast<size_t>(length)) != length) return false;
  __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<intptr_t>(descriptor)));
  __lsan_do_recoverable_leak_check();
  __sanitizer_set_report_fd(reinterpret_cast<void*>(intptr_t{STDERR_FILENO}));
  return true;
}

}  // namespace plimsoll::ledger
