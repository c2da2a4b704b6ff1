#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PACKING_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PACKING_H_

// A planning problem in the form that solvers work on: time as the maximal sets of live
// buffers, sizes in units of their greatest common divisor, independent parts apart.
// Plain values and pure functions: thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

// A buffer on the sections of its part.
struct Item {
  int32_t first = 0;  // the sections [first, last) that it is live in, never empty
  int32_t last = 0;
  int64_t size = 0;       // units, > 0
  int64_t alignment = 1;  // units
  int64_t width = 0;      // upper - lower of the buffer, in ticks
};

// Buffers that no empty moment divides.
struct Part {
  std::vector<Item> items;
  std::vector<int32_t> ids;     // of each item: its index among the problem's buffers
  std::vector<int64_t> totals;  // of each section: units live
  int64_t lower_bound = 0;      // units
};

// Two sections never hold one another's live set, so their number is at most that of the
// buffers. Buffers of 0 bytes are in no part.
struct Packing {
  int64_t unit = 1;  // bytes; sizes and alignments are multiples of it
  std::vector<Part> parts;
};

// REQUIRES: CheckBuffers. Time: n log n.
Packing MakePacking(const std::vector<Buffer>& buffers);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PACKING_H_
