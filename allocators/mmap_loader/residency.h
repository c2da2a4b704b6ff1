#ifndef ALLOCATORS_MMAP_LOADER_RESIDENCY_H_
#define ALLOCATORS_MMAP_LOADER_RESIDENCY_H_

// How much of an address range is really in memory, and whose it is. Thread-safe.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "allocators/mmap_loader/os.h"

namespace plimsoll::weights {

// In bytes, whole pages; absent where the kernel does not say.
struct Residency {
  std::optional<uint64_t> resident;       // in this process's page tables: counts in its RSS
  std::optional<uint64_t> private_dirty;  // of those, anonymous: read copies, written pages
  std::optional<uint64_t> page_cache;     // of a file mapping, in memory for anyone (mincore)

  // Sums; a part that is absent on either side is absent.
  Residency& operator+=(const Residency& other);
};

// REQUIRES: `begin` is the start of a page, and [begin, begin + bytes) is mapped.
Residency MeasureResidency(Os& os, std::byte* begin, size_t bytes, bool file_backed);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_RESIDENCY_H_
