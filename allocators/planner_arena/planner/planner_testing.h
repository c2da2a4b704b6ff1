#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PLANNER_TESTING_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PLANNER_TESTING_H_

// What the planner's tests share. Not thread-safe.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/planner.h"
#include "allocators/planner_arena/planner/validator.h"

namespace plimsoll {

// The planner's result, after the validator found nothing against it.
inline PlanResult Checked(const std::vector<Buffer>& buffers, const PlanOptions& options = {}) {
  const Expected<PlanResult> result = MakePlan(buffers, options);
  EXPECT_TRUE(result) << result.error().message;
  const Status valid = ValidateOffsets(buffers, result->plan.offsets, result->plan.height);
  EXPECT_TRUE(valid) << valid.error().message;
  EXPECT_EQ(result->plan.height, Height(buffers, result->plan.offsets));
  EXPECT_GE(result->plan.lower_bound, LowerBound(buffers));
  EXPECT_LE(result->plan.lower_bound, result->plan.height);
  return *result;
}

// Tiles with one left out: what is no tiling is not taken apart as one.
inline std::vector<Buffer> AlmostTiles(int32_t count, uint64_t seed) {
  std::vector<Buffer> buffers = PerfectTiles(count, Cuts::kPinwheels, seed);
  buffers.pop_back();
  return buffers;
}

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PLANNER_TESTING_H_
