#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_H_

// A memory resource for programs that repeat a step: it records some steps, plans where
// each block shall lie, and serves the following steps from one block of memory. What
// was not planned comes from upstream, and is counted.
//
//   const auto configuration = ArenaConfiguration::FromEnvironment();
//   auto arena = PlannerArena::Create(*configuration);
//   for (...) {
//     StepScope step(**arena);                          // a training step
//     ...                                               // allocates from the arena
//   }
//
// Thread-safe. Blocks may be freed by any thread, in any later step, or between steps. A
// thread remembers its place in one arena: who asks two of them in turns has it looked up,
// under two locks, at every change.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena_blocks.h"
#include "allocators/planner_arena/arena_budget.h"
#include "allocators/planner_arena/arena_layout.h"
#include "allocators/planner_arena/arena_pages.h"
#include "allocators/planner_arena/arena_step.h"
#include "allocators/planner_arena/arena_timeline.h"
#include "allocators/planner_arena/configuration.h"
#include "allocators/stats.h"
#include "base/error.h"

namespace plimsoll {

struct ArenaStats {
  AllocatorStats allocator;
  int64_t hits = 0;    // requests served from a plan
  int64_t misses = 0;  // requests of planned steps that went upstream against the plan
  // Requests of planned steps that the plan itself sends upstream (long-lived blocks), or
  // that no plan could serve (alignment above 2 MiB, 256 GiB and more).
  int64_t unplanned = 0;
  int64_t outside = 0;  // requests outside steps, or of steps that no plan served
  int64_t steps = 0;
  int64_t planned_steps = 0;
  int64_t recorded_steps = 0;
  int64_t stable_steps = 0;      // recorded steps in a row that brought nothing new
  int64_t plans = 0;             // that are kept
  int64_t plan_age_steps = 0;    // steps since the youngest was made
  int64_t plan_height = 0;       // bytes, of the tallest
  int64_t plan_lower_bound = 0;  // bytes, of the same
  int64_t plan_peak_live = 0;    // bytes, of the same
};

// What Allocate throws when the limit is reached or upstream has nothing left. what()
// says who asked for how much, what the arena holds, and, a line each, the sites with
// the most live bytes.
class ArenaOutOfMemory : public std::bad_alloc {
 public:
  explicit ArenaOutOfMemory(std::string report)
      : report_(std::make_shared<std::string>(std::move(report))) {}
  const char* what() const noexcept override { return report_->c_str(); }

 private:
  std::shared_ptr<const std::string> report_;
};

class PlannerArena : public std::pmr::memory_resource {
 public:
  // What a test or a tool may replace.
  struct Parts {
    // nullptr: DefaultSystemResource(), and pages of their own for large blocks of steps
    // that are recorded, wait for their plan or leave it: they then hold no more than what
    // is live.
    std::pmr::memory_resource* upstream = nullptr;
    // Makes upstream return free memory to the system; called when much moved from
    // there to the arena. Empty: the process's malloc, if upstream is the default.
    std::function<void()> trim_upstream;
    PlanFunction planner;         // empty: PlanOnPages
    ArenaPages* pages = nullptr;  // nullptr: ArenaPages::System()
    // Empty: std::thread. When it throws, the step that ends plans by itself, and the
    // arena's pages stay until the next pause.
    ThreadStarter start_thread;
  };

  // An error names the configuration's field that is out of range.
  static Expected<std::unique_ptr<PlannerArena>> Create(const ArenaConfiguration& configuration,
                                                        const Parts& parts);
  static Expected<std::unique_ptr<PlannerArena>> Create(const ArenaConfiguration& configuration) {
    return Create(configuration, Parts());
  }
  // REQUIRES: no step is open. Blocks of plans that are still live become invalid. Those of
  // upstream do not, and whoever named the upstream may give them back to it. Without one
  // (Parts::upstream), blocks of 32 KiB and more may have pages of their own: these stay
  // readable and writable, but nobody can give them back any more.
  ~PlannerArena() override;

  // For callers whose free does not know the size. Throws ArenaOutOfMemory, or
  // std::bad_alloc when upstream does. `alignment` is a power of two, at most 2 MiB;
  // every block is aligned to 64 bytes at least.
  void* Allocate(size_t bytes, size_t alignment = kGranuleBytes);
  // Aborts if `block` is not a live block of this arena; nullptr is ignored.
  void Free(void* block);

  // Exact with one thread. With several, bytes_in_use is exact when they are at rest, and
  // the peak may miss what the last 64 requests of each other thread changed, but no more
  // than 64 KiB or a quarter of the most that it held.
  ArenaStats Stats() const;
  // Everything it knows of itself, as JSON with sizes in bytes: configuration, stats,
  // size classes, timelines with their plans, live bytes by site.
  std::string SnapshotJson() const;
  // The arena over one step, as SVG: time to the right, addresses upwards. Of the plan
  // with the most bytes; nothing if there is none.
  std::string PictureSvg() const;
  // The profile of the step that the same plan was made for, as CSV: a line for each
  // request, "id,lower,upper,size,alignment,thread,fate,site". Nothing if there is none.
  std::string ProfileCsv() const;

  // Gives free pages back to the system, upstream's included; returns the arena's own
  // bytes. Timelines with an open step are left alone.
  size_t Trim();

  // Waits for planning that is under way; its plans serve from the next step on.
  void WaitForPlan();

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override { return Allocate(bytes, alignment); }
  void do_deallocate(void* block, size_t, size_t) override { Free(block); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

 private:
  friend class StepScope;
  friend class StepTicket;

  PlannerArena(const ArenaConfiguration& configuration, const Parts& parts);

  Timeline* BeginStep(const StepOptions& options);
  void EndStep(Timeline* timeline) noexcept;
  Lane* FindLane(size_t bytes, size_t alignment);
  // The step that a thread takes part in.
  struct Part {
    Timeline* timeline = nullptr;
    Entry entry = Entry::kUndeclared;
  };
  Part PartOfThread() const;
  void* AllocateUpstream(Lane* lane, size_t bytes, size_t alignment, bool missed);
  void* AllocateUnserved(Lane* lane, size_t bytes, size_t alignment);
  void* TakeUpstream(UpstreamBlock& what);
  void* AskUpstream(UpstreamBlock& what);
  void* TryUpstream(UpstreamBlock& what);
  void GiveBack(void* block, const UpstreamBlock& what);
  void FreeUpstream(void* block);
  Timeline* OwnerOf(const void* block) const;
  void TellBytes(Lane& lane);
  void LeaveStep();
  void CountAllocate(Lane* lane, size_t bytes);
  void CountFree(size_t bytes);
  std::string OutOfMemoryReport(size_t bytes, bool over_limit) const;
  std::vector<Timeline::Report> Reports() const;
  size_t GiveWay(size_t needed);
  void TrimUpstream();
  void StartDecay();
  void DecayLoop();

  const ArenaConfiguration configuration_;
  std::pmr::memory_resource& upstream_;
  const bool maps_large_;
  const std::function<void()> trim_upstream_;
  const PlanFunction planner_;
  ArenaPages& pages_;
  const ThreadStarter start_thread_;
  const uint64_t id_;
  ArenaBudget budget_;

  // Rises whenever what threads remember of open steps is no longer true. Every request
  // reads it, so what others write stands on other lines.
  alignas(64) std::atomic<uint64_t> epoch_{1};
  static constexpr uint32_t kMaxTimelines = 64;
  std::atomic<uint32_t> num_timelines_{0};
  std::atomic<Timeline*> timelines_[kMaxTimelines] = {};
  alignas(64) mutable std::mutex mutex_;   // opening and closing steps
  uint64_t sessions_[kMaxTimelines] = {};  // by timeline, guarded by mutex_; 0: not named
  int open_steps_ = 0;                     // guarded by mutex_

  // Gives memory back when steps pause.
  std::thread decay_;
  std::condition_variable decay_wake_;
  uint64_t pauses_ = 0;  // guarded by mutex_
  bool stopping_ = false;

  mutable UpstreamBlocks upstream_blocks_;
  std::atomic<int64_t> outside_{0};
  // The calls of threads that take no part in a step; the others count in their lanes.
  std::atomic<int64_t> allocs_{0};
  std::atomic<int64_t> largest_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> bytes_{0};
  alignas(64) std::atomic<int64_t> lane_bytes_{0};  // of the lanes, as they told
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_H_
