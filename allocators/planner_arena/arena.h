#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_H_

// A memory resource for programs that repeat a step: it records some steps, plans where
// each block shall lie, and serves the following steps from one block of memory. What
// was not planned comes from upstream, and is counted.
//
//   auto arena = PlannerArena::Create({});              // or FromEnvironment()
//   for (...) {
//     StepScope step(**arena);                          // a training step
//     ...                                               // allocates from the arena
//   }
//
// Thread-safe. Blocks may be freed by any thread, in any later step, or between steps.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <vector>

#include "allocators/planner_arena/arena_blocks.h"
#include "allocators/planner_arena/arena_layout.h"
#include "allocators/planner_arena/arena_pages.h"
#include "allocators/planner_arena/arena_timeline.h"
#include "allocators/planner_arena/configuration.h"
#include "allocators/stats.h"
#include "base/error.h"

namespace plimsoll {

struct ArenaStats {
  AllocatorStats allocator;
  int64_t hits = 0;       // requests served from a plan
  int64_t misses = 0;     // requests of planned steps that went upstream against the plan
  int64_t unplanned = 0;  // requests that the plan itself sends upstream (long-lived blocks)
  int64_t outside = 0;    // requests outside steps, or of steps that no plan served
  int64_t steps = 0;
  int64_t planned_steps = 0;
  int64_t recorded_steps = 0;
  int64_t stable_steps = 0;      // recorded steps in a row that brought nothing new
  int64_t plan_height = 0;       // bytes
  int64_t plan_lower_bound = 0;  // bytes
  int64_t plan_peak_live = 0;    // bytes
};

class PlannerArena : public std::pmr::memory_resource {
 public:
  // What a test or a tool may replace.
  struct Parts {
    std::pmr::memory_resource* upstream = nullptr;  // nullptr: DefaultSystemResource()
    PlanFunction planner;                           // empty: GreedyBySize
    ArenaPages* pages = nullptr;                    // nullptr: ArenaPages::System()
  };

  // An error names the configuration's field that is out of range.
  static Expected<std::unique_ptr<PlannerArena>> Create(const ArenaConfiguration& configuration,
                                                        const Parts& parts);
  static Expected<std::unique_ptr<PlannerArena>> Create(const ArenaConfiguration& configuration) {
    return Create(configuration, Parts());
  }
  // Blocks of plans that are still live become invalid; blocks of upstream do not.
  ~PlannerArena() override;

  // For callers whose free does not know the size. Throws std::bad_alloc when upstream
  // does. `alignment` is a power of two; every block is aligned to 64 bytes at least.
  void* Allocate(size_t bytes, size_t alignment = kGranuleBytes);
  // Aborts if `block` is not a live block of this arena; nullptr is ignored.
  void Free(void* block);

  ArenaStats Stats() const;

  // Waits for planning that is under way; its plan serves from the next step on.
  void WaitForPlan();

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override { return Allocate(bytes, alignment); }
  void do_deallocate(void* block, size_t, size_t) override { Free(block); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

 private:
  friend class StepTicket;
  friend class StepScope;

  PlannerArena(const ArenaConfiguration& configuration, const Parts& parts);

  Timeline& BeginStep();
  void EndStep(Timeline& timeline);
  Lane* FindLane();
  Timeline* TimelineOfThread() const;
  void* AllocateUpstream(Lane* lane, size_t bytes, size_t alignment);
  void FreeUpstream(void* block);
  Timeline* OwnerOf(const void* block) const;
  int64_t LaneBytes() const;
  void CountAllocate(Lane* lane, size_t bytes);
  void CountFree(size_t bytes);

  const ArenaConfiguration configuration_;
  std::pmr::memory_resource& upstream_;
  const PlanFunction planner_;
  ArenaPages& pages_;
  const uint64_t id_;  // never used again

  // Rises whenever a step begins or ends: what threads remember of them is then stale.
  std::atomic<uint64_t> epoch_{1};
  static constexpr uint32_t kMaxTimelines = 64;
  std::atomic<uint32_t> num_timelines_{0};
  std::atomic<Timeline*> timelines_[kMaxTimelines] = {};
  mutable std::mutex mutex_;  // opening and closing steps

  UpstreamBlocks upstream_blocks_;
  std::atomic<int64_t> upstream_bytes_{0};
  std::atomic<int64_t> peak_upstream_bytes_{0};
  std::atomic<int64_t> outside_{0};

  // The calls of threads that take no part in a step; the others count in their lanes.
  std::atomic<int64_t> allocs_{0};
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> largest_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> lane_bytes_{0};  // LaneBytes() when a step last ended
};

// Keeps a step open beyond its scope, for work that completes later or elsewhere.
// Copies share: the step ends when its scope and all its tickets are gone. Copying and
// dropping are thread-safe, one ticket at a time.
class StepTicket {
 public:
  StepTicket() = default;

 private:
  friend class PlannerArena;
  friend class StepScope;
  friend class StepThread;
  struct Step {
    Step(PlannerArena& its_arena, Timeline& its_timeline)
        : arena(its_arena), timeline(its_timeline) {}
    ~Step() { arena.EndStep(timeline); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    PlannerArena& arena;
    Timeline& timeline;
  };
  std::shared_ptr<Step> step_;
};

// While it lives, the requests of the thread that made it belong to one step. Made
// inside another scope of the same thread and arena, it joins that step. Made while
// earlier steps are still open elsewhere, it opens one beside them, which has a
// timeline and a plan of its own. Requests of threads that declare nothing belong to
// the step that is open, if it is the only one.
// REQUIRES: destroyed by the thread that made it, in reverse order.
class StepScope {
 public:
  explicit StepScope(PlannerArena& arena);
  ~StepScope();
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;

  StepTicket Ticket() const { return ticket_; }

 private:
  friend class PlannerArena;
  friend class StepThread;
  StepScope(PlannerArena& arena, StepTicket ticket);

  PlannerArena& arena_;
  StepTicket ticket_;
  StepScope* outer_;
};

// While it lives, the requests of the thread that made it belong to the ticket's step.
class StepThread {
 public:
  explicit StepThread(const StepTicket& ticket) : scope_(ticket.step_->arena, ticket) {}

 private:
  StepScope scope_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_H_
