#ifndef HARNESS_LEDGER_DIRECT_LEAKS_H_
#define HARNESS_LEDGER_DIRECT_LEAKS_H_

// Blocks that nothing points to any more, found at an iteration's end by LeakSanitizer or
// Valgrind where the process runs under one. One caller at a time. Allocates nothing of
// its own; needs no libstdc++ at run time. ParseDirectLeaks reads what it reports.

#include <cstdint>

namespace plimsoll::ledger {

enum class LeakChecker : uint8_t { kNone, kLeakSanitizer, kValgrind };

// LeakSanitizer in builds with it or AddressSanitizer (with detect_leaks=0 it finds
// nothing); Valgrind when the process runs on it.
LeakChecker AvailableLeakChecker();

// Checks now and reports under the name of `iteration`: LeakSanitizer to `descriptor` (and
// from then on all its messages to standard error, whatever log_path said), Valgrind to
// its own log, which only --log-file or --log-fd says where to find. Stops all threads:
// milliseconds, under Valgrind more. False: there is no checker.
bool CheckDirectLeaks(uint32_t iteration, int descriptor);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_DIRECT_LEAKS_H_
