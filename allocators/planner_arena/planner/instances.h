#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_INSTANCES_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_INSTANCES_H_

// Planning problems to measure planners with, made from a seed: the same on every machine.
// Pure functions: thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

enum class Cuts {
  kGuillotine,  // every cut runs from edge to edge of what it divides
  kPinwheels,   // every third division is into five around a middle, which no edge-to-edge
                // cut can make
};

// `count` buffers that fill 2^20 bytes over 2^20 ticks without a gap, in random order: a
// rectangle cut in two (or five) again and again, the larger pieces more often. The
// optimum is 2^20; finding it again is hard. Sizes are at least 16 bytes. REQUIRES:
// 1 <= count <= 10^6; the number of pinwheel pieces rounds `count` up by at most 4.
std::vector<Buffer> PerfectTiles(int32_t count, Cuts cuts, uint64_t seed);

// The same on a coarse grid: `count` buffers, cut edge to edge, fill `rows` rows of 64 bytes
// over `ticks` ticks. Many end as others of their sizes begin, so that who follows whom is
// hard to tell. The optimum is 64 x rows. REQUIRES: 1 <= count <= ticks x rows / 4.
std::vector<Buffer> CoarseTiles(int32_t count, int64_t ticks, int64_t rows, uint64_t seed);

// Any sizes, any lifetimes: of `count` buffers, some thousand ticks long at most.
std::vector<Buffer> RandomBuffers(int32_t count, uint64_t seed);

// What training steps ask for: `count` buffers, of which a tenth live from the forward
// pass to the mirrored place in the backward pass, one in two hundred for ever, and all
// others for a few ticks; sizes are multiples of 256 bytes and repeat.
std::vector<Buffer> TraceLike(int32_t count, uint64_t seed);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_INSTANCES_H_
