#ifndef SCENARIOS_ENGINES_REFERENCE_CYCLIC_ALLOCATOR_H_
#define SCENARIOS_ENGINES_REFERENCE_CYCLIC_ALLOCATOR_H_

// ND4J's two ways with the arrays of a step: "workspace" takes them back whole when the
// step ends, "collected" frees each some time after its last handle has gone. What lives
// longer than a step is the C library's in both. Used from one thread.

#include <cstdint>
#include <memory>

#include "allocators/workspace/configuration.h"
#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/tensor_allocator.h"

namespace plimsoll {

// Knobs, each used with its allocator only. Those of the workspace are the fields of
// WorkspaceConfiguration and have its defaults.
struct CyclicOptions {
  // workspace_initial_size, workspace_overallocation_limit, workspace_cycles,
  // workspace_allocation, workspace_learning, workspace_reset, workspace_spill,
  // workspace_location.
  WorkspaceConfigurationBuilder workspace;
  int64_t collect_every = 1;  // collect_every: steps from one collection to the next
};
CyclicOptions ReadCyclicOptions(FieldReader& knobs);

// Whether MakeCyclicAllocator knows the allocator of that name.
bool IsCyclicAllocator(std::string_view allocator);

// By the case's `allocator`: workspace or collected. Errors: the configuration is
// refused, or its memory or file cannot be had.
Expected<std::unique_ptr<TensorAllocator>> MakeCyclicAllocator(const EngineConfig& config,
                                                               const CyclicOptions& options);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_CYCLIC_ALLOCATOR_H_
