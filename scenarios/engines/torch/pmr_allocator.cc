#include "scenarios/engines/torch/pmr_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <limits>
#include <new>

namespace plimsoll {
namespace {

struct Header {
  std::pmr::memory_resource* resource;
  size_t bytes;  // as asked of the resource, header included
};

// The header takes one alignment unit, so that what follows is aligned too.
constexpr size_t kHeaderBytes = PmrAllocator::kAlignment;
static_assert(sizeof(Header) <= kHeaderBytes);

void Free(void* data) {
  if (data == nullptr) return;
  void* block = static_cast<std::byte*>(data) - kHeaderBytes;
  const Header header = *static_cast<Header*>(block);
  header.resource->deallocate(block, header.bytes, PmrAllocator::kAlignment);
}

}  // namespace

c10::DataPtr PmrAllocator::allocate(size_t bytes) const {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (bytes == 0) return {nullptr, nullptr, &Free, cpu};
  if (bytes > std::numeric_limits<size_t>::max() - kHeaderBytes) throw std::bad_array_new_length();
  void* block = resource_->allocate(bytes + kHeaderBytes, kAlignment);
  new (block) Header{resource_, bytes + kHeaderBytes};
  void* data = static_cast<std::byte*>(block) + kHeaderBytes;
  return {data, data, &Free, cpu};
}

c10::DeleterFnPtr PmrAllocator::raw_deleter() const { return &Free; }

void InstallCpuAllocator(std::pmr::memory_resource* resource) {
  // Never destroyed: libtorch's own statics may free tensors after main has returned.
  static PmrAllocator* const kInstalled = new PmrAllocator(resource);
  c10::SetCPUAllocator(kInstalled, /*priority=*/255);
}

}  // namespace plimsoll
