#ifndef SCENARIOS_ENGINES_TENSOR_ALLOCATOR_H_
#define SCENARIOS_ENGINES_TENSOR_ALLOCATOR_H_

// Where the tensors of a case live: the engine's own allocator, or one of ours behind
// it. Steps begin and end on one thread; the resource is as thread-safe as it says.

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>

#include "base/error.h"
#include "scenarios/engines/config.h"

namespace plimsoll {

class TensorAllocator {
 public:
  virtual ~TensorAllocator() = default;

  // Null: the engine keeps its own.
  virtual std::pmr::memory_resource* resource() { return nullptr; }

  // For what ends before its step does; ask anew in every step. Null: as above.
  virtual std::pmr::memory_resource* step_resource() { return resource(); }

  // Around each iteration: to the arena, one step.
  virtual void BeginStep() {}
  virtual void EndStep() {}

  // One line of statistics for a person; empty: nothing to say.
  virtual std::string Report() const { return ""; }
};

// Knobs of the planner arena, used with that allocator only; absent: as its environment
// variables say.
struct ArenaOptions {
  std::optional<int64_t> start_step;    // arena_start_step: steps before the first recorded
  std::optional<int64_t> stable_steps;  // arena_stable_steps: unchanged ones end recording
  std::optional<int64_t> max_steps;     // arena_max_steps: most steps to record
  bool background = false;              // arena_background: plan on a thread of its own
};
ArenaOptions ReadArenaOptions(FieldReader& knobs);

// By the case's `allocator`: system or planner_arena.
Expected<std::unique_ptr<TensorAllocator>> MakeTensorAllocator(const EngineConfig& config,
                                                               const ArenaOptions& arena);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TENSOR_ALLOCATOR_H_
