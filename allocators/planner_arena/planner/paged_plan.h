#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PAGED_PLAN_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PAGED_PLAN_H_

// The offline planner as the arena uses it: where large buffers begin is told by the place,
// if that makes the plan hardly higher. Pure functions: thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

// Buffers of at least so many bytes shall begin on a page, or as far into it as others at
// that place: blocks that follow each other there then begin in the same cache lines. How
// far differs from place to place, as lines that begin pages share few sets of a cache.
inline constexpr int64_t kLeastToPage = int64_t{16} << 10;

// Plans within about `seconds`. A buffer that is refused, as CheckBuffers does, is planned
// all the same. `page`: bytes. The lower bound is that of `buffers` as they are.
Plan PlanOnPages(const std::vector<Buffer>& buffers, double seconds, int64_t page);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PAGED_PLAN_H_
