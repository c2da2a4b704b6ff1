#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_STEP_MEMORY_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_STEP_MEMORY_H_

// The one face under which the planner arena and the designs it is compared with run the
// same steps: a memory resource that is told where steps begin and end, and that counts.
// Thread-safe, except that one thread at a time begins and ends steps.

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace plimsoll {

struct StepMemoryStats {
  int64_t hits = 0;        // requests served from memory that was set aside before
  int64_t misses = 0;      // requests that were recorded or meant to be pooled, and were not
  int64_t held_bytes = 0;  // of upstream or the system, handed out or not
  int64_t most_held_bytes = 0;
  int64_t upstream_calls = 0;  // requests made of upstream
};

class StepMemory : public std::pmr::memory_resource {
 public:
  virtual void BeginStep() = 0;
  virtual void EndStep() = 0;
  virtual StepMemoryStats Stats() const = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_STEP_MEMORY_H_
