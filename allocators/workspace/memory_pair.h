#ifndef ALLOCATORS_WORKSPACE_MEMORY_PAIR_H_
#define ALLOCATORS_WORKSPACE_MEMORY_PAIR_H_

// Host memory and, where a device mirrors it, its twin there: got and given back
// together. As thread-safe as the resource and the device behind it.

#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include "allocators/workspace/device_memory.h"
#include "base/error.h"

namespace plimsoll {

struct MemoryPair {
  std::byte* host = nullptr;
  std::byte* device = nullptr;  // null: not mirrored
  uint64_t bytes = 0;
  uint64_t alignment = 0;
};

class MemoryPairSource {
 public:
  // Both are borrowed; a null device mirrors nothing.
  MemoryPairSource(std::pmr::memory_resource* upstream, DeviceMemory* device)
      : upstream_(upstream), device_(device) {}

  std::pmr::memory_resource* upstream() const { return upstream_; }
  DeviceMemory* device() const { return device_; }

  // Both halves or neither. An exception of the resource (std::bad_alloc) is turned
  // into the error that it carries.
  Expected<MemoryPair> Allocate(uint64_t bytes, uint64_t alignment) const;
  void Free(const MemoryPair& pair) const noexcept;

 private:
  std::pmr::memory_resource* const upstream_;
  DeviceMemory* const device_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_MEMORY_PAIR_H_
