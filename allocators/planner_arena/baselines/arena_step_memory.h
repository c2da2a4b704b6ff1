#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_ARENA_STEP_MEMORY_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_ARENA_STEP_MEMORY_H_

// The planner arena under the same face as the baselines. Thread-safe, but for steps
// (see StepMemory), which one thread begins and ends.

#include <memory>
#include <utility>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/baselines/counted_upstream.h"
#include "allocators/planner_arena/baselines/step_memory.h"

namespace plimsoll {

class ArenaStepMemory : public StepMemory {
 public:
  // Aborts if the configuration is out of range. nullptr: operator new.
  explicit ArenaStepMemory(const ArenaConfiguration& configuration,
                           std::pmr::memory_resource* upstream = nullptr)
      : upstream_(upstream), arena_(Make(configuration, upstream_)) {}

  PlannerArena& arena() { return *arena_; }

  void BeginStep() override { step_ = std::make_unique<StepScope>(*arena_); }
  void EndStep() override { step_.reset(); }
  StepMemoryStats Stats() const override {
    StepMemoryStats stats;
    const ArenaStats arena = arena_->Stats();
    stats.hits = arena.hits;
    stats.misses = arena.allocator.num_allocs - arena.hits;
    stats.held_bytes = arena.allocator.bytes_reserved;
    stats.most_held_bytes = arena.allocator.peak_bytes_reserved;
    stats.upstream_calls = upstream_.counted.Stats().upstream_calls;
    return stats;
  }

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override {
    return arena_->Allocate(bytes, alignment);
  }
  void do_deallocate(void* block, size_t, size_t) override { arena_->Free(block); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

 private:
  class Upstream : public std::pmr::memory_resource {
   public:
    explicit Upstream(std::pmr::memory_resource* upstream) : counted(upstream) {}
    CountedUpstream counted;

   protected:
    void* do_allocate(size_t bytes, size_t alignment) override {
      return counted.Allocate(bytes, alignment);
    }
    void do_deallocate(void* block, size_t bytes, size_t alignment) override {
      counted.Free(block, bytes, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
      return this == &other;
    }
  };

  static std::unique_ptr<PlannerArena> Make(const ArenaConfiguration& configuration,
                                            Upstream& upstream) {
    PlannerArena::Parts parts;
    parts.upstream = &upstream;
    return PlannerArena::Create(configuration, parts).value();
  }

  Upstream upstream_;
  std::unique_ptr<PlannerArena> arena_;
  std::unique_ptr<StepScope> step_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_ARENA_STEP_MEMORY_H_
