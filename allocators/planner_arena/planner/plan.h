#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PLAN_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PLAN_H_

// What the offline planner takes and gives: buffers with lifetimes, and the offsets at
// which they share one block of memory. Plain values and pure functions: thread-safe.

#include <cstdint>
#include <vector>

#include "base/error.h"

namespace plimsoll {

// A buffer that is live during the half-open range [lower, upper) of a logical clock.
struct Buffer {
  int64_t lower = 0;
  int64_t upper = 0;      // > lower
  int64_t size = 0;       // bytes, >= 0; a buffer of 0 bytes lies at offset 0 and disturbs nobody
  int64_t alignment = 1;  // bytes, >= 1; the offset is a multiple of it
};

// The least multiple of `alignment` (>= 1) that is no less than `offset` (>= 0).
inline int64_t AlignUp(int64_t offset, int64_t alignment) {
  return alignment == 1 ? offset : (offset + alignment - 1) / alignment * alignment;
}

// Where each buffer lies: two buffers whose lifetimes overlap share no byte.
struct Plan {
  std::vector<int64_t> offsets;  // bytes, in the order of the buffers
  int64_t height = 0;            // bytes: the greatest offset + size, 0 without buffers
  int64_t lower_bound = 0;       // bytes: no plan for these buffers is lower than this
};

// Checks what every function of the planner requires: lower < upper, both
// within 2^62 of 0, size >= 0, alignment >= 1, and that sizes and alignments together stay
// below 2^62 bytes. The error names the first buffer (by its index) and field that break it.
Status CheckBuffers(const std::vector<Buffer>& buffers);

// The largest sum of sizes that are live at one time, in bytes. REQUIRES: CheckBuffers.
int64_t LowerBound(const std::vector<Buffer>& buffers);

// The greatest offset + size, in bytes. REQUIRES: one offset per buffer.
int64_t Height(const std::vector<Buffer>& buffers, const std::vector<int64_t>& offsets);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PLAN_H_
