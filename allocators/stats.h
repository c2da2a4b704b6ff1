#ifndef ALLOCATORS_STATS_H_
#define ALLOCATORS_STATS_H_

// What every allocator under test says of itself: TensorFlow's AllocatorStats, field by
// field. A plain value: as thread-safe as an int.

#include <cstdint>
#include <optional>

namespace plimsoll {

struct AllocatorStats {
  int64_t num_allocs = 0;          // calls that returned a block, since the start
  int64_t bytes_in_use = 0;        // bytes of the blocks that are live now, as requested
  int64_t peak_bytes_in_use = 0;   // greatest bytes_in_use so far
  int64_t largest_alloc_size = 0;  // bytes of the largest single request so far
  // Absent: the allocator has no limit.
  std::optional<int64_t> bytes_limit;
  // Bytes that the allocator holds of the system, handed out or not, and their peak.
  int64_t bytes_reserved = 0;
  int64_t peak_bytes_reserved = 0;
  // Bytes of the largest range that is held and free. Absent: not known.
  std::optional<int64_t> largest_free_block;

  // (free - largest free range) / free, where free = bytes_reserved - bytes_in_use:
  // 0 is one free range, near 1 is crumbs. Absent: nothing is free, or not known.
  std::optional<double> Fragmentation() const {
    const int64_t free = bytes_reserved - bytes_in_use;
    if (!largest_free_block || free <= 0) return std::nullopt;
    return static_cast<double>(free - *largest_free_block) / static_cast<double>(free);
  }
};

}  // namespace plimsoll

#endif  // ALLOCATORS_STATS_H_
