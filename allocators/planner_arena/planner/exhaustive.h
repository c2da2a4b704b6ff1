#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_EXHAUSTIVE_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_EXHAUSTIVE_H_

// The optimum of tiny planning problems, by trying every order: what planners are tested
// against. Shares nothing with them. Pure functions: thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

// The least height of any plan. Any plan can be let down until each buffer lies on
// another or on the ground, and is then found by placing from the lowest up, each on top
// of what it meets. Time: factorial; for up to 7 buffers.
int64_t LeastHeight(const std::vector<Buffer>& buffers);

// `count` buffers with crowded lifetimes and sizes of 0 to 12 units of `unit` bytes; with
// `aligned` some want a multiple of 2, 3 or 4 units.
std::vector<Buffer> TinyBuffers(int32_t count, uint64_t seed, int64_t unit, bool aligned);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_EXHAUSTIVE_H_
