#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PART_GREEDY_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PART_GREEDY_H_

// Greedy plans for one part of a packing, in about n log n: there is no list of who meets
// whom. Pure functions: thread-safe.

#include <cstdint>
#include <optional>
#include <vector>

#include "allocators/planner_arena/planner/deadline.h"
#include "allocators/planner_arena/planner/greedy.h"
#include "allocators/planner_arena/planner/packing.h"

namespace plimsoll {

struct PartPlan {
  std::vector<int64_t> offsets;  // units, by item
  int64_t height = 0;            // units
};

// The greatest offset + size.
int64_t PartHeight(const Part& part, const std::vector<int64_t>& offsets);

// Item after item in the given order, each into the gap that `fit` chooses: the same plan
// as GreedyInOrder. Nothing if the deadline passed, the plan grew to `give_up` units, or
// more than `most_runs` taken ranges had to be looked at.
std::optional<PartPlan> FillGaps(const Part& part, const std::vector<int32_t>& order, Fit fit,
                                 int64_t give_up, int64_t most_runs, const Deadline& deadline);

// Bottom up: always the item that can lie lowest on top of what lies there, the first of
// the order among equals. Never fills a gap below. Nothing if the deadline passed, the
// plan grew to `give_up` units, or long items were lifted too often for n log n.
std::optional<PartPlan> LowestFirst(const Part& part, const std::vector<int32_t>& order,
                                    int64_t give_up, const Deadline& deadline);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PART_GREEDY_H_
