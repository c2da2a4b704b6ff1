#ifndef HARNESS_PROBE_ARENAS_H_
#define HARNESS_PROBE_ARENAS_H_

// What each arena of glibc's malloc holds, from malloc_info. For the end of a run: it takes
// every arena's lock in turn, and allocates. Thread-safe.

#include <cstddef>
#include <cstdint>

namespace plimsoll {

struct MallocArena {
  uint64_t system_bytes = 0;  // taken from the kernel
  uint64_t free_bytes = 0;    // freed by the program and kept
};

// Fills `arenas`, the main one first, and returns how many there are (at most `capacity`);
// 0 when malloc_info fails.
size_t ReadMallocArenas(MallocArena* arenas, size_t capacity);

// The same from malloc_info's XML.
size_t ParseMallocInfo(const char* xml, MallocArena* arenas, size_t capacity);

}  // namespace plimsoll

#endif  // HARNESS_PROBE_ARENAS_H_
