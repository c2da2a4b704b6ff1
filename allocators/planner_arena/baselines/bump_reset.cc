#include "allocators/planner_arena/baselines/bump_reset.h"

#include <algorithm>

namespace plimsoll {

BumpReset::~BumpReset() {
  if (region_ != nullptr) upstream_.Free(region_, region_bytes_, kAlignment);
}

void BumpReset::BeginStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  asked_ = 0;
  if (live_ != 0) return;
  used_ = 0;
  if (most_asked_ <= region_bytes_) return;
  if (region_ != nullptr) upstream_.Free(region_, region_bytes_, kAlignment);
  region_ = nullptr;
  region_bytes_ = 0;
  region_ = static_cast<std::byte*>(upstream_.Allocate(most_asked_, kAlignment));
  region_bytes_ = most_asked_;
}

void* BumpReset::do_allocate(size_t bytes, size_t alignment) {
  const size_t size = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (alignment <= kAlignment) {
      asked_ += size;
      most_asked_ = std::max(most_asked_, asked_);
      if (size <= region_bytes_ - used_) {
        void* const block = region_ + used_;
        used_ += size;
        ++live_;
        ++hits_;
        return block;
      }
    }
    ++misses_;
  }
  return upstream_.Allocate(bytes, alignment);
}

void BumpReset::do_deallocate(void* block, size_t bytes, size_t alignment) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto* const begin = static_cast<std::byte*>(block);
    if (region_ != nullptr && begin >= region_ && begin < region_ + region_bytes_) {
      --live_;
      return;
    }
  }
  upstream_.Free(block, bytes, alignment);
}

StepMemoryStats BumpReset::Stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  StepMemoryStats stats = upstream_.Stats();
  stats.hits = hits_;
  stats.misses = misses_;
  return stats;
}

}  // namespace plimsoll
