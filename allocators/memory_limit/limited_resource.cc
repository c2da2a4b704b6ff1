#include "allocators/memory_limit/limited_resource.h"

#include <utility>

#include "allocators/allocation_error.h"

namespace plimsoll {

namespace {

void RaiseTo(std::atomic<int64_t>& highest, int64_t value) {
  int64_t before = highest.load(std::memory_order_relaxed);
  while (before < value &&
         !highest.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

LimitedResource::LimitedResource(MemoryLimit& limit, std::string name,
                                 std::pmr::memory_resource* upstream)
    : limit_(limit),
      holder_(limit, std::move(name)),
      upstream_(upstream != nullptr ? upstream : std::pmr::new_delete_resource()) {}

void* LimitedResource::do_allocate(size_t bytes, size_t alignment) {
  Expected<MemoryReservation> reservation = limit_.Reserve(holder_, bytes);
  if (!reservation) throw AllocationError(reservation.error());
  void* pointer = upstream_->allocate(bytes, alignment);
  reservation->Commit();
  allocations_.fetch_add(1, std::memory_order_relaxed);
  RaiseTo(largest_, static_cast<int64_t>(bytes));
  RaiseTo(peak_, static_cast<int64_t>(holder_.bytes()));
  return pointer;
}

AllocatorStats LimitedResource::Stats() const {
  AllocatorStats stats;
  stats.num_allocs = allocations_.load(std::memory_order_relaxed);
  stats.bytes_in_use = static_cast<int64_t>(holder_.bytes());
  stats.peak_bytes_in_use = peak_.load(std::memory_order_relaxed);
  stats.largest_alloc_size = largest_.load(std::memory_order_relaxed);
  if (limit_.options().max_bytes > 0) {
    stats.bytes_limit = static_cast<int64_t>(limit_.options().max_bytes);
  }
  stats.bytes_reserved = stats.bytes_in_use;
  stats.peak_bytes_reserved = stats.peak_bytes_in_use;
  return stats;
}

void LimitedResource::do_deallocate(void* pointer, size_t bytes, size_t alignment) {
  upstream_->deallocate(pointer, bytes, alignment);
  limit_.Release(holder_, bytes);
}

}  // namespace plimsoll
