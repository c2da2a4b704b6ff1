#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_PICTURE_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_PICTURE_H_

// A recorded step for people and for other programs: as a picture and as CSV. Pure
// functions: thread-safe.

#include <string>

#include "allocators/planner_arena/arena_layout.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

// SVG: a rectangle for each planned block, time to the right, addresses upwards; what
// is carried into the next step is drawn at both ends. Hovering names size and site.
// REQUIRES: `layout` is of `profile`.
std::string DrawStep(const StepProfile& profile, const Layout& layout);

// "id,lower,upper,size,alignment,thread,fate,site" and a line for each request, by
// thread and in its order. Ticks are half-open; a block that is carried into the next
// step has its end beyond the step's last tick, one that outlives that, too, has none.
std::string WriteProfileCsv(const StepProfile& profile);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_PICTURE_H_
