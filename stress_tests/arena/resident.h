#ifndef STRESS_TESTS_ARENA_RESIDENT_H_
#define STRESS_TESTS_ARENA_RESIDENT_H_

// What the kernel says of this process's memory. Thread-safe, but a reset is seen by all.

#include <cstdint>
#include <optional>

namespace plimsoll {

struct Resident {
  uint64_t now = 0;   // bytes resident
  uint64_t most = 0;  // since the process started or the last reset
  uint64_t file = 0;  // of `now`, pages of files: code, mostly
};

// Nothing where /proc does not tell.
std::optional<Resident> ReadResident();

// The most bytes that were resident beyond what was so `before`, until `after` was read. Code
// that ran for the first time in between does not count: its pages are the file's.
uint64_t MostBeyond(const Resident& before, const Resident& after);

// `most` counts from here on. False where the kernel does not allow it.
bool ResetMostResident();

// Minor page faults of the process so far.
int64_t MinorFaults();

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_RESIDENT_H_
