#ifndef STRESS_TESTS_LOADER_SMAPS_H_
#define STRESS_TESTS_LOADER_SMAPS_H_

// What the kernel says of mappings, exactly: /proc/PID/smaps. Thread-safe.

#include <sys/types.h>

#include <cstdint>
#include <string_view>

namespace plimsoll {

// In bytes, summed over the mappings that are counted.
struct MappedMemory {
  uint64_t mappings = 0;
  uint64_t rss = 0;
  uint64_t pss = 0;
  uint64_t anonymous = 0;
};

// Of the process `pid`, the mappings of files whose path ends in `ending`; empty: all.
MappedMemory ReadSmaps(pid_t pid, std::string_view ending = "");

}  // namespace plimsoll

#endif  // STRESS_TESTS_LOADER_SMAPS_H_
