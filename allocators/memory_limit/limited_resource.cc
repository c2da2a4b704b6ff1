#include "allocators/memory_limit/limited_resource.h"

#include <utility>

#include "allocators/allocation_error.h"

namespace plimsoll {

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
  return pointer;
}

void LimitedResource::do_deallocate(void* pointer, size_t bytes, size_t alignment) {
  upstream_->deallocate(pointer, bytes, alignment);
  limit_.Release(holder_, bytes);
}

}  // namespace plimsoll
