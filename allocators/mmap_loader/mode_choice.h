#ifndef ALLOCATORS_MMAP_LOADER_MODE_CHOICE_H_
#define ALLOCATORS_MMAP_LOADER_MODE_CHOICE_H_

// What Mode::kAuto turns into, and why. Thread-safe: ChooseMode is a pure function, and
// the others only read from the kernel.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allocators/mmap_loader/file.h"
#include "allocators/mmap_loader/options.h"

namespace plimsoll::weights {

struct ModeChoice {
  Mode mode = Mode::kMmap;  // never kAuto
  std::string reason;       // one sentence with the figures it rests on
};

// Mapping a file over a network pays a round trip for each window of pages, one after the
// other (figures seen: 40 to 50 s against 1 to 2 s for reading), so such a file is read,
// as long as it fits into four fifths of the memory that is free; everything else is
// mapped, as its pages stay reclaimable. `file_system` is statfs's f_type;
// `available_bytes` is absent when unknown.
ModeChoice ChooseMode(uint64_t bytes, uint64_t file_system,
                      std::optional<uint64_t> available_bytes);

// The same for an open file and this machine.
ModeChoice ChooseModeFor(const File& file, uint64_t bytes);

// The memory that can be had without swapping, in bytes: MemAvailable, or what is left
// below the cgroup's limit where that is less; absent when /proc does not say.
std::optional<uint64_t> AvailableMemory();

// Of texts as in /proc/meminfo, memory.max and memory.current (or their cgroup v1 forms;
// empty when there is none).
std::optional<uint64_t> AvailableMemoryIn(std::string_view meminfo, std::string_view limit,
                                          std::string_view usage);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_MODE_CHOICE_H_
