#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_COUNTED_UPSTREAM_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_COUNTED_UPSTREAM_H_

// Where a baseline's memory comes from, and how much of it is held. Thread-safe.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include "allocators/planner_arena/baselines/step_memory.h"

namespace plimsoll {

class CountedUpstream {
 public:
  // nullptr: operator new.
  explicit CountedUpstream(std::pmr::memory_resource* upstream)
      : upstream_(upstream ? *upstream : *std::pmr::new_delete_resource()) {}

  // Throws what upstream throws.
  void* Allocate(size_t bytes, size_t alignment) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    void* const block = upstream_.allocate(bytes, alignment);
    const auto size = static_cast<int64_t>(bytes);
    const int64_t held = held_.fetch_add(size, std::memory_order_relaxed) + size;
    int64_t most = most_.load(std::memory_order_relaxed);
    while (held > most && !most_.compare_exchange_weak(most, held, std::memory_order_relaxed)) {
    }
    return block;
  }

  void Free(void* block, size_t bytes, size_t alignment) {
    upstream_.deallocate(block, bytes, alignment);
    held_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  }

  // With hits and misses left at 0.
  StepMemoryStats Stats() const {
    StepMemoryStats stats;
    stats.held_bytes = held_.load(std::memory_order_relaxed);
    stats.most_held_bytes = most_.load(std::memory_order_relaxed);
    stats.upstream_calls = calls_.load(std::memory_order_relaxed);
    return stats;
  }

 private:
  std::pmr::memory_resource& upstream_;
  std::atomic<int64_t> held_{0};
  std::atomic<int64_t> most_{0};
  std::atomic<int64_t> calls_{0};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_COUNTED_UPSTREAM_H_
