#ifndef SCENARIOS_ENGINES_TORCH_PMR_ALLOCATOR_H_
#define SCENARIOS_ENGINES_TORCH_PMR_ALLOCATOR_H_

// Lets any std::pmr::memory_resource hold libtorch's CPU tensors. As thread-safe as the
// resource: libtorch allocates and frees from any thread.

#include <c10/core/Allocator.h>

#include <cstddef>
#include <memory_resource>

namespace plimsoll {

// Every block carries a header with its size and resource, so that a tensor which
// outlives the installation is still freed where it came from.
class PmrAllocator final : public c10::Allocator {
 public:
  // Blocks start at a multiple of this, as libtorch's own allocator does it: kernels
  // choose their path by alignment, and results are to be equal bit for bit.
  static constexpr size_t kAlignment = 64;

  // `resource` must outlive every tensor allocated here.
  explicit PmrAllocator(std::pmr::memory_resource* resource) : resource_(resource) {}

  // 0 bytes: a null pointer. Throws what the resource throws (std::bad_alloc).
  c10::DataPtr allocate(size_t bytes) const override;
  c10::DeleterFnPtr raw_deleter() const override;

 private:
  std::pmr::memory_resource* resource_;
};

// Makes `resource` libtorch's CPU allocator for the rest of the process; call before
// the first tensor. `resource` must live until the process exits.
void InstallCpuAllocator(std::pmr::memory_resource* resource);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_PMR_ALLOCATOR_H_
