#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_VALIDATOR_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_VALIDATOR_H_

// Judges a plan by its definition alone: shares no code with what made it. Pure
// functions: thread-safe.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"
#include "base/error.h"

namespace plimsoll {

// Success if there is one offset per buffer, none negative, each a multiple of its
// alignment, none reaching beyond `capacity` bytes, and no two buffers share a byte at
// one time. Else the error names the buffers, as `name` does or by their index, and the
// values. Time: n log n.
Status ValidateOffsets(const std::vector<Buffer>& buffers, const std::vector<int64_t>& offsets,
                       int64_t capacity, const std::function<std::string(size_t)>& name = nullptr);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_VALIDATOR_H_
