#include "allocators/workspace/device_memory.h"

#include <cstring>
#include <new>

namespace plimsoll {

HostStandInDevice::HostStandInDevice(std::pmr::memory_resource* upstream)
    : upstream_(upstream != nullptr ? upstream : std::pmr::new_delete_resource()) {}

Expected<std::byte*> HostStandInDevice::Allocate(size_t bytes, size_t alignment) {
  try {
    return static_cast<std::byte*>(upstream_->allocate(bytes, alignment));
  } catch (const std::bad_alloc& refused) {
    return Fail("device '" + name() + "': " + std::to_string(bytes) + " bytes: " + refused.what());
  }
}

void HostStandInDevice::Free(std::byte* device, size_t bytes, size_t alignment) noexcept {
  upstream_->deallocate(device, bytes, alignment);
}

Status HostStandInDevice::CopyToDevice(std::byte* device, const void* host, size_t bytes) {
  std::memcpy(device, host, bytes);
  return {};
}

Status HostStandInDevice::CopyToHost(void* host, const std::byte* device, size_t bytes) {
  std::memcpy(host, device, bytes);
  return {};
}

}  // namespace plimsoll
