#ifndef SCENARIOS_ENGINES_TORCH_TENSOR_ALLOCATOR_H_
#define SCENARIOS_ENGINES_TORCH_TENSOR_ALLOCATOR_H_

// Where the tensors of a case live: libtorch's own allocator, or one of ours behind it.
// Steps begin and end on one thread; the resource is as thread-safe as it says.

#include <memory>
#include <memory_resource>
#include <string>

#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/torch/options.h"

namespace plimsoll {

class TensorAllocator {
 public:
  virtual ~TensorAllocator() = default;

  // Null: libtorch keeps its own.
  virtual std::pmr::memory_resource* resource() { return nullptr; }

  // Around each training step; everything that the step makes and drops lies between.
  virtual void BeginStep() {}
  virtual void EndStep() {}

  // One line of statistics for a person; empty: nothing to say.
  virtual std::string Report() const { return ""; }
};

// By the case's `allocator`: system or planner_arena.
Expected<std::unique_ptr<TensorAllocator>> MakeTensorAllocator(const EngineConfig& config,
                                                               const TorchOptions& options);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_TENSOR_ALLOCATOR_H_
