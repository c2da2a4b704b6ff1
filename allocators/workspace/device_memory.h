#ifndef ALLOCATORS_WORKSPACE_DEVICE_MEMORY_H_
#define ALLOCATORS_WORKSPACE_DEVICE_MEMORY_H_

// The face that a device shows to a mirrored workspace, and a stand-in made of host
// memory. Implementations must be thread-safe: every thread has its own workspaces.

#include <cstddef>
#include <memory_resource>
#include <string>

#include "base/error.h"

namespace plimsoll {

class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  virtual std::string name() const = 0;

  // At least `bytes` bytes on the device at `alignment`, or why not. Device addresses
  // are passed back and counted up from, never read or written by the caller.
  virtual Expected<std::byte*> Allocate(size_t bytes, size_t alignment) = 0;

  // Gives back what Allocate returned for the same size and alignment.
  virtual void Free(std::byte* device, size_t bytes, size_t alignment) noexcept = 0;

  // Copies that are complete when the call returns.
  virtual Status CopyToDevice(std::byte* device, const void* host, size_t bytes) = 0;
  virtual Status CopyToHost(void* host, const std::byte* device, size_t bytes) = 0;
};

// A device whose memory is a second host buffer, taken from `upstream` (borrowed; must
// be thread-safe and outlive this; null: new and delete).
class HostStandInDevice final : public DeviceMemory {
 public:
  explicit HostStandInDevice(std::pmr::memory_resource* upstream = nullptr);

  std::string name() const override { return "host stand-in"; }
  Expected<std::byte*> Allocate(size_t bytes, size_t alignment) override;
  void Free(std::byte* device, size_t bytes, size_t alignment) noexcept override;
  Status CopyToDevice(std::byte* device, const void* host, size_t bytes) override;
  Status CopyToHost(void* host, const std::byte* device, size_t bytes) override;

 private:
  std::pmr::memory_resource* const upstream_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_DEVICE_MEMORY_H_
