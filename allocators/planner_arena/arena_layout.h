#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_LAYOUT_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_LAYOUT_H_

// From a step's profile to offsets: steps repeat, so lifetimes lie on a circle; this
// cuts it where the fewest bytes are live and hands straight intervals to a planner.
// Pure functions: thread-safe.

#include <cstdint>
#include <functional>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

// Plans within about `seconds`: offsets in bytes in the order of the buffers, no two of
// which share a byte while both are live.
using PlanFunction = std::function<Plan(const std::vector<Buffer>&, double seconds)>;

struct Layout {
  static constexpr int64_t kUnplanned = -1;

  // By lane and request: offset in bytes, a multiple of the alignment, or kUnplanned
  // for a block that outlives the step after its own or is still live when its
  // successor is asked for.
  std::vector<std::vector<int64_t>> offsets;
  int64_t height = 0;       // bytes of address space that the offsets span
  int64_t lower_bound = 0;  // bytes: no layout of these lifetimes spans less
  int64_t peak_live = 0;    // bytes live at once at most, as requested, not rounded
};

// Requests of more than `most_bytes` are left unplanned: no arena could serve them.
// REQUIRES: lifetimes lie within [0, profile.ticks]; most_bytes is at most kMostPlannedBytes.
inline constexpr uint64_t kMostPlannedBytes = uint64_t{1} << 38;
Layout MakeLayout(const StepProfile& profile, const PlanFunction& planner, double seconds,
                  uint64_t most_bytes = kMostPlannedBytes);

// The same with a part of the address space for each lane, so that no block of one waits
// for a block of another, whatever the order of their requests. Not lower than the
// other, and its lower bound is the sum of the lanes'.
Layout MakeLayoutByLane(const StepProfile& profile, const PlanFunction& planner, double seconds,
                        uint64_t most_bytes = kMostPlannedBytes);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_LAYOUT_H_
