#include "allocators/workspace/memory_pair.h"

#include <new>
#include <string>

namespace plimsoll {

Expected<MemoryPair> MemoryPairSource::Allocate(uint64_t bytes, uint64_t alignment) const {
  MemoryPair pair{nullptr, nullptr, bytes, alignment};
  try {
    pair.host = static_cast<std::byte*>(upstream_->allocate(bytes, alignment));
  } catch (const std::bad_alloc& refused) {
    return Fail("no memory for " + std::to_string(bytes) + " bytes: " + refused.what());
  }
  if (device_ == nullptr) return pair;
  const Expected<std::byte*> twin = device_->Allocate(bytes, alignment);
  if (!twin) {
    upstream_->deallocate(pair.host, bytes, alignment);
    return tl::unexpected<Error>(twin.error());
  }
  pair.device = *twin;
  return pair;
}

void MemoryPairSource::Free(const MemoryPair& pair) const noexcept {
  if (pair.device != nullptr) device_->Free(pair.device, pair.bytes, pair.alignment);
  if (pair.host != nullptr) upstream_->deallocate(pair.host, pair.bytes, pair.alignment);
}

}  // namespace plimsoll
