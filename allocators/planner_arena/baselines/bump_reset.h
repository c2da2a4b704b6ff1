#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_BUMP_RESET_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_BUMP_RESET_H_

// The simplest step allocator, for comparison: a pointer that rises through one region
// and goes back to its start between steps. Frees give nothing back within a step, so the
// region grows to all that a step asks for. Thread-safe, but for steps (see StepMemory).

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "allocators/planner_arena/baselines/counted_upstream.h"
#include "allocators/planner_arena/baselines/step_memory.h"

namespace plimsoll {

class BumpReset : public StepMemory {
 public:
  // nullptr: operator new.
  explicit BumpReset(std::pmr::memory_resource* upstream = nullptr) : upstream_(upstream) {}
  // REQUIRES: no block is live.
  ~BumpReset() override;

  // Goes back to the start, and grows to what the largest step so far asked for, unless a
  // block of the region is still live.
  void BeginStep() override;
  void EndStep() override {}
  StepMemoryStats Stats() const override;

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* block, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

 private:
  static constexpr size_t kAlignment = 64;

  CountedUpstream upstream_;
  mutable std::mutex mutex_;
  std::byte* region_ = nullptr;
  size_t region_bytes_ = 0;
  size_t used_ = 0;   // of the region, since it was reset
  size_t asked_ = 0;  // in this step, alignment included
  size_t most_asked_ = 0;
  int64_t live_ = 0;  // blocks of the region
  int64_t hits_ = 0;
  int64_t misses_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_BUMP_RESET_H_
