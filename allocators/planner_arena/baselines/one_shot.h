#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_ONE_SHOT_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_ONE_SHOT_H_

// Greedy by size, once, for comparison: one step is recorded and planned largest first;
// from then on the i-th request of a step gets the i-th offset if it is of the planned
// size and its bytes are free, and anything else goes upstream. Thread-safe, but for
// steps (see StepMemory).

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "allocators/planner_arena/baselines/counted_upstream.h"
#include "allocators/planner_arena/baselines/step_memory.h"
#include "allocators/planner_arena/configuration.h"
#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

class OneShot : public StepMemory {
 public:
  // Of the configuration, START_STATISTIC_STEP: the step after those is planned.
  // nullptr: operator new.
  explicit OneShot(const ArenaConfiguration& configuration,
                   std::pmr::memory_resource* upstream = nullptr)
      : start_(configuration.start_statistic_step), upstream_(upstream) {}
  // REQUIRES: no block is live.
  ~OneShot() override;

  void BeginStep() override;
  void EndStep() override;
  StepMemoryStats Stats() const override;

  // Of the plan, in bytes; 0 before there is one.
  int64_t height() const;

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* block, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

 private:
  static constexpr size_t kAlignment = 64;

  std::byte* TakeNext(size_t size);
  void Install();

  const int64_t start_;
  CountedUpstream upstream_;
  mutable std::mutex mutex_;
  int64_t steps_ = 0;
  bool recording_ = false;
  int64_t clock_ = 0;
  std::vector<Buffer> buffers_;                   // of the recorded step, in order
  std::unordered_map<const void*, size_t> open_;  // live blocks of the recorded step
  std::vector<int64_t> offsets_;
  std::byte* region_ = nullptr;
  int64_t height_ = 0;
  size_t next_ = 0;
  std::map<int64_t, int64_t> live_;  // begin and end of the region's live blocks
  int64_t hits_ = 0;
  int64_t misses_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_ONE_SHOT_H_
