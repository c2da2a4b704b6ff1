#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_GREEDY_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_GREEDY_H_

// Greedy planning: buffers take offsets one after the other, in a given order, each in a
// gap that its neighbours in time leave. Pure functions: thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

enum class Fit {
  kFirst,  // the lowest gap that is large enough
  kBest,   // the smallest gap that is large enough, and the top only if there is none
};

// Places the buffers in the order of `order`, a permutation of their indices.
// REQUIRES: CheckBuffers.
Plan GreedyInOrder(const std::vector<Buffer>& buffers, const std::vector<int32_t>& order, Fit fit);

// Largest first: TensorFlow Lite's rule. Ties go to the longer lifetime, then to the
// earlier, then to the lower index. REQUIRES: CheckBuffers.
Plan GreedyBySize(const std::vector<Buffer>& buffers, Fit fit = Fit::kBest);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_GREEDY_H_
