#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_DEEPREC_BASELINE_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_DEEPREC_BASELINE_H_

// DeepRec's CPU memory planner, written anew from a description of its rules, as the
// design that the arena is compared with. Requests up to 32 KB bypass it. From
// START_STATISTIC_STEP on it records the blocks that are allocated and freed within a
// step, until the plan did not change for STABLE_STATISTIC_STEP steps or after
// MAX_STATISTIC_STEP; of three bin widths the smallest pool is installed, once. From then
// on each bin is a stack of chunks under a spin lock, and what finds none there goes
// upstream. Of several instances only the last one made is planned.
//
// Thread-safe, but for steps (see StepMemory).

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "allocators/planner_arena/baselines/counted_upstream.h"
#include "allocators/planner_arena/baselines/deeprec_pool.h"
#include "allocators/planner_arena/baselines/step_memory.h"
#include "allocators/planner_arena/configuration.h"

namespace plimsoll {

class DeepRecBaseline : public StepMemory {
 public:
  static constexpr size_t kBypassBytes = size_t{32} << 10;
  // Stands before small blocks, where large ones have their size.
  static constexpr uint64_t kSmallMagic = 4'276'545;

  // Of the configuration, its four statistics controls. nullptr: operator new.
  explicit DeepRecBaseline(const ArenaConfiguration& configuration,
                           std::pmr::memory_resource* upstream = nullptr);
  // REQUIRES: no block is live.
  ~DeepRecBaseline() override;

  void BeginStep() override;
  void EndStep() override;
  StepMemoryStats Stats() const override;

  bool installed() const { return installed_.load(std::memory_order_acquire); }
  // Of the chunks that were installed, in bytes.
  int64_t pool_bytes() const { return pool_bytes_; }
  // Spin locks that requests and frees took so far.
  int64_t locks() const;
  // Frees for which the word before the block told a small block of a large one. Their
  // blocks are given back properly all the same: here the size is known.
  int64_t misjudged_frees() const { return misjudged_frees_.load(std::memory_order_relaxed); }
  // Of planning so far, all three bin widths.
  int64_t comparisons() const;

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* block, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

 private:
  struct Bin {
    // The spin lock, while it lives.
    class Lock {
     public:
      explicit Lock(const Bin& bin) : bin_(bin) {
        while (bin_.busy.test_and_set(std::memory_order_acquire)) {
        }
      }
      ~Lock() { bin_.busy.clear(std::memory_order_release); }
      Lock(const Lock&) = delete;
      Lock& operator=(const Lock&) = delete;

     private:
      const Bin& bin_;
    };

    mutable std::atomic_flag busy = ATOMIC_FLAG_INIT;
    int64_t locks = 0;  // taken by requests so far; guarded by busy, as the next two
    int64_t hits = 0;
    std::vector<std::byte*> free;
    std::vector<std::byte*> all;
    std::vector<size_t> lenders;
    size_t chunk_bytes = 0;
  };

  bool IsLast() const;
  std::byte* Pop(size_t bytes);
  std::byte* PopOf(Bin& bin);
  void NoteAllocate(const void* block, size_t bytes);
  void NoteFree(const void* block);
  void Install();

  const ArenaConfiguration configuration_;
  const uint64_t instance_;
  CountedUpstream upstream_;

  mutable std::mutex mutex_;  // recording
  int64_t steps_ = 0;
  int64_t recorded_steps_ = 0;
  int64_t stable_steps_ = 0;
  bool done_ = false;
  std::atomic<bool> in_window_{false};
  int64_t clock_ = 0;  // one for everything, never set back
  std::unordered_map<const void*, DeepRecPool::Lifetime> open_;
  std::vector<DeepRecPool::Lifetime> closed_;
  std::array<DeepRecPool, 3> pools_;

  std::atomic<bool> installed_{false};
  size_t bin_bytes_ = 0;
  std::map<size_t, Bin> bins_;
  int64_t pool_bytes_ = 0;
  std::atomic<int64_t> misses_{0};
  std::atomic<int64_t> misjudged_frees_{0};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_DEEPREC_BASELINE_H_
