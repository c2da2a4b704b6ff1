#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_STEP_SCRIPT_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_STEP_SCRIPT_H_

// Steps written down as a list of requests and frees, to run on any step memory. Pure
// functions: as thread-safe as the memory.

#include <cstddef>
#include <map>
#include <vector>

#include "allocators/planner_arena/baselines/step_memory.h"
#include "allocators/planner_arena/configuration.h"

namespace plimsoll {

inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;

// Allocates `bytes` as `block`, or frees it if that is 0.
struct ScriptLine {
  int block = 0;
  size_t bytes = 0;
};
using StepScript = std::vector<ScriptLine>;

// The body of a step, without its boundaries. REQUIRES: it frees what it allocates.
inline void PlayBody(std::pmr::memory_resource& memory, const StepScript& script) {
  std::map<int, std::pair<void*, size_t>> live;
  for (const ScriptLine& line : script) {
    if (line.bytes != 0) {
      live[line.block] = {memory.allocate(line.bytes, 64), line.bytes};
    } else {
      const auto [block, bytes] = live.at(line.block);
      memory.deallocate(block, bytes, 64);
    }
  }
}

inline void Play(StepMemory& memory, const StepScript& script, int steps = 1) {
  for (int i = 0; i < steps; ++i) {
    memory.BeginStep();
    PlayBody(memory, script);
    memory.EndStep();
  }
}

// What `steps` more steps add to the counts.
inline StepMemoryStats PlayAndCount(StepMemory& memory, const StepScript& script, int steps) {
  const StepMemoryStats before = memory.Stats();
  Play(memory, script, steps);
  StepMemoryStats after = memory.Stats();
  after.hits -= before.hits;
  after.misses -= before.misses;
  after.upstream_calls -= before.upstream_calls;
  return after;
}

// One step passes, a few are recorded, and plans are ready at a step's end.
inline ArenaConfiguration QuickControls() {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 1;
  configuration.stable_statistic_step = 2;
  configuration.max_statistic_step = 10;
  configuration.reserve_bytes = uint64_t{1} << 32;
  configuration.plan_in_background = false;
  return configuration;
}
// Steps after which every memory with these controls has its plan.
inline constexpr int kQuickSteps = 12;

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_STEP_SCRIPT_H_
