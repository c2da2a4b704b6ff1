#include "scenarios/engines/torch/tensor_allocator.h"

namespace plimsoll {

Expected<std::unique_ptr<TensorAllocator>> MakeTensorAllocator(const EngineConfig& config) {
  if (config.allocator == "system") return std::make_unique<TensorAllocator>();
  return BadValue(config.path, "allocator", config.allocator, "expected system");
}

}  // namespace plimsoll
