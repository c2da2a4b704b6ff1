#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_ORDERS_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_ORDERS_H_

// The orders in which solvers consider items. Pure functions: thread-safe.

#include <cstdint>
#include <string_view>
#include <vector>

#include "allocators/planner_arena/planner/packing.h"

namespace plimsoll {

// A permutation of the part's items, greatest first by each letter of `keys` in turn, then
// by index: T the greatest total of its sections, W ticks it is live, A ticks x size, Z
// size, N items that are live with it at some time. Time: n log n.
std::vector<int32_t> OrderBy(const Part& part, std::string_view keys);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_ORDERS_H_
