#ifndef ALLOCATORS_MEMORY_LIMIT_LIMITED_RESOURCE_H_
#define ALLOCATORS_MEMORY_LIMIT_LIMITED_RESOURCE_H_

// A memory resource whose every block is charged to a MemoryLimit before it is taken
// from upstream. Thread-safe if upstream is.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>

#include "allocators/memory_limit/memory_limit.h"
#include "allocators/stats.h"

namespace plimsoll {

class LimitedResource final : public std::pmr::memory_resource {
 public:
  // `limit` and `upstream` (null: new and delete) are borrowed and must outlive this.
  // Aborts at its end if blocks are still out.
  LimitedResource(MemoryLimit& limit, std::string name,
                  std::pmr::memory_resource* upstream = nullptr);

  uint64_t bytes() const { return holder_.bytes(); }

  // Of this resource; the limit on bytes is that of all who share it.
  AllocatorStats Stats() const;

 private:
  // Charges exactly `bytes`. Throws AllocationError over the limit, or what upstream
  // throws, and then charges nothing.
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* pointer, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  MemoryLimit& limit_;
  MemoryHolder holder_;
  std::pmr::memory_resource* const upstream_;
  std::atomic<int64_t> allocations_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> largest_{0};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_MEMORY_LIMIT_LIMITED_RESOURCE_H_
