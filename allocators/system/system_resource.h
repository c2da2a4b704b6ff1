#ifndef ALLOCATORS_SYSTEM_SYSTEM_RESOURCE_H_
#define ALLOCATORS_SYSTEM_SYSTEM_RESOURCE_H_

// The process's malloc, whichever is linked or preloaded, as a memory resource with
// stats: what the other allocators are compared with and fall back on. Thread-safe.

#include <atomic>
#include <cstddef>
#include <memory_resource>

#include "allocators/stats.h"

namespace plimsoll {

class SystemResource : public std::pmr::memory_resource {
 public:
  // Bytes are counted as requested; what malloc holds beyond them is not known to it,
  // so bytes_reserved equals bytes_in_use.
  AllocatorStats Stats() const;

  // Asks glibc to return free pages to the system. True if the process's malloc is
  // glibc's and it returned some.
  bool Trim();

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* block, size_t bytes, size_t alignment) override;
  // Any two may free each other's blocks.
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override;

 private:
  std::atomic<int64_t> num_allocs_{0};
  std::atomic<int64_t> bytes_in_use_{0};
  std::atomic<int64_t> peak_bytes_in_use_{0};
  std::atomic<int64_t> largest_alloc_size_{0};
};

// The one that allocators use when they are given none. Never destroyed.
SystemResource& DefaultSystemResource();

}  // namespace plimsoll

#endif  // ALLOCATORS_SYSTEM_SYSTEM_RESOURCE_H_
