#include "allocators/system/system_resource.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace plimsoll {
namespace {

void RaiseTo(std::atomic<int64_t>& maximum, int64_t value) {
  int64_t seen = maximum.load(std::memory_order_relaxed);
  while (value > seen && !maximum.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

AllocatorStats SystemResource::Stats() const {
  AllocatorStats stats;
  stats.num_allocs = num_allocs_.load(std::memory_order_relaxed);
  stats.bytes_in_use = bytes_in_use_.load(std::memory_order_relaxed);
  stats.peak_bytes_in_use = peak_bytes_in_use_.load(std::memory_order_relaxed);
  stats.largest_alloc_size = largest_alloc_size_.load(std::memory_order_relaxed);
  stats.bytes_reserved = stats.bytes_in_use;
  stats.peak_bytes_reserved = stats.peak_bytes_in_use;
  return stats;
}

bool SystemResource::Trim() { return malloc_trim(0) != 0; }

void* SystemResource::do_allocate(size_t bytes, size_t alignment) {
  void* block = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    block = std::malloc(bytes == 0 ? 1 : bytes);
  } else if (posix_memalign(&block, alignment, bytes) != 0) {
    block = nullptr;
  }
  if (block == nullptr) throw std::bad_alloc();
  const auto size = static_cast<int64_t>(bytes);
  num_allocs_.fetch_add(1, std::memory_order_relaxed);
  RaiseTo(largest_alloc_size_, size);
  RaiseTo(peak_bytes_in_use_, bytes_in_use_.fetch_add(size, std::memory_order_relaxed) + size);
  return block;
}

void SystemResource::do_deallocate(void* block, size_t bytes, size_t) {
  bytes_in_use_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  std::free(block);
}

bool SystemResource::do_is_equal(const std::pmr::memory_resource& other) const noexcept {
  return dynamic_cast<const SystemResource*>(&other) != nullptr;
}

SystemResource& DefaultSystemResource() {
  static SystemResource* const resource = new SystemResource;
  return *resource;
}

}  // namespace plimsoll
