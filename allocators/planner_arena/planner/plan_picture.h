#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PLAN_PICTURE_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PLAN_PICTURE_H_

// A picture of a plan. Pure functions: thread-safe.

#include <string>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

// SVG: time to the right, offsets upwards, a rectangle for each buffer with its id
// (without ids: its index), bytes and ticks as a tooltip. Of more than 50,000 buffers the largest
// are drawn, and the caption says how many are not. REQUIRES: one offset per buffer.
std::string DrawPlan(const std::vector<Buffer>& buffers, const Plan& plan,
                     const std::vector<std::string>& ids = {});

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PLAN_PICTURE_H_
