#ifndef ALLOCATORS_WORKSPACE_SIZING_H_
#define ALLOCATORS_WORKSPACE_SIZING_H_

// How large a workspace is, from its configuration and its largest cycle. Pure
// functions: thread-safe. All sizes are bytes; results saturate at 2^63 - 1.

#include <cstdint>

#include "allocators/workspace/configuration.h"

namespace plimsoll {

// At creation: initial_size, grown by (1 + limit) when over-allocating, clamped to max.
uint64_t InitialCapacity(const WorkspaceConfiguration& configuration);

// One block of a circular workspace: 1.3 times the largest cycle, aligned.
uint64_t CircularBlock(const WorkspaceConfiguration& configuration, uint64_t largest_cycle);

// After learning, and after growing: the largest cycle (a circular workspace: its
// block), grown by (1 + limit) when over-allocating, raised to min, clamped to max.
// 0 when the largest cycle is 0.
uint64_t LearnedCapacity(const WorkspaceConfiguration& configuration, uint64_t largest_cycle);

// Cycles that one lap of a circular workspace holds: 1, or 1 + limit when
// over-allocating.
uint64_t CyclesPerStep(const WorkspaceConfiguration& configuration);

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_SIZING_H_
