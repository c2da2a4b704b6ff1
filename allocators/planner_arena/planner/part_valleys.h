#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PART_VALLEYS_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PART_VALLEYS_H_

// A greedy plan for parts whose items would fit tightly if one knew where: bottom up along
// the skyline, which tells what belongs there. Pure functions: thread-safe.

#include <cstdint>
#include <optional>

#include "allocators/planner_arena/planner/deadline.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/part_greedy.h"

namespace plimsoll {

// Always into the lowest valley, the leftmost of equals: the item that fills it from edge to
// edge, else one at an edge, rather level with the neighbour there and rather a wide one, else
// one inside; a valley that nothing fits into is filled up to its lower edge. `seed` 0 breaks
// ties by preference alone, others perturb the preference. Nothing if the deadline passed,
// the plan grew to `give_up` units, or items were looked at too often for n log n.
std::optional<PartPlan> FillValleys(const Part& part, uint64_t seed, int64_t give_up,
                                    const Deadline& deadline);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PART_VALLEYS_H_
