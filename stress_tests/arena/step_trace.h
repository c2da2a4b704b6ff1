#ifndef STRESS_TESTS_ARENA_STEP_TRACE_H_
#define STRESS_TESTS_ARENA_STEP_TRACE_H_

// One step of a program as its allocator sees it: blocks, and the calls that allocate and
// free them, in order. Pure functions: thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/planner_arena/planner/lifetimes_file.h"
#include "base/error.h"

namespace plimsoll {

struct StepTrace {
  struct Block {
    uint64_t bytes = 0;  // at least 1
    uint64_t alignment = 0;
  };
  struct Call {
    uint32_t block = 0;
    bool frees = false;  // else allocates
  };

  std::vector<Block> blocks;
  // A block that is freed before it is allocated is that of the step before: it lives on
  // from each step into the next.
  std::vector<Call> calls;
};

// What a file of lifetimes says of a step: at one time, blocks are freed before others are
// allocated. Blocks that outlive two steps are not in it.
StepTrace TraceOf(const LifetimesFile& file);

// From any file that ParseLifetimes reads; errors are its.
Expected<StepTrace> ReadStepTrace(const std::string& path);

// A training step made up from a seed: activations that live from the forward pass to the
// mirrored place in the backward pass, and many short-lived blocks. Sizes are multiples
// of 256 bytes. The same on every machine.
StepTrace SyntheticStep(int32_t blocks, uint64_t seed);

// The same step on data of another size: nine blocks in ten, told by their place, are
// `factor` times as large (and at least 1 byte); the others do not depend on the data.
StepTrace Scaled(const StepTrace& trace, double factor);

// The largest sum of bytes that are live at one time when the step is repeated, as
// requested.
uint64_t PeakLive(const StepTrace& trace);

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_STEP_TRACE_H_
