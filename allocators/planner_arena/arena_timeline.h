#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_TIMELINE_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_TIMELINE_H_

// One sequence of steps with its own clock, profile, plan and address range: records
// steps until they repeat, has them planned, and serves the following ones.
//
// Thread-safe. Serve and Release take no lock; a lane belongs to one thread at a time.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena_layout.h"
#include "allocators/planner_arena/arena_pages.h"
#include "allocators/planner_arena/arena_schedule.h"
#include "allocators/planner_arena/configuration.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

class Timeline;

// A counter that one thread writes and any thread reads.
class LaneCounter {
 public:
  void Add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void RaiseTo(int64_t n) {
    if (n > Get()) value_.store(n, std::memory_order_relaxed);
  }
  int64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// What one thread's calls add up to. Sums over lanes mean something; a lane alone may
// free what another allocated.
struct LaneCounters {
  LaneCounter allocs;
  LaneCounter bytes;      // allocated minus freed, upstream included, as requested
  LaneCounter largest;    // request so far, bytes
  LaneCounter peak;       // of bytes + others, as seen after this lane's requests
  LaneCounter hits;       // requests served from the plan
  LaneCounter misses;     // requests of planned steps that went upstream against the plan
  LaneCounter unplanned;  // requests that the plan itself sends upstream
};

// Says which address and where, and aborts.
[[noreturn]] void AbortOnForeignFree(const void* block);

// A thread's place in a timeline's steps: how far it has come, and what it did.
struct alignas(128) Lane {
  Timeline* timeline = nullptr;
  uint32_t index = 0;
  bool taken = false;  // guarded by the timeline's mutex

  // For the step that is open.
  uint64_t step = 0;
  Schedule* plan = nullptr;  // nullptr: this step is not served from a plan
  uint32_t next = 0;         // the slot that its next request should take
  uint32_t end = 0;
  bool recording = false;

  LaneCounters counters;
  int64_t others = 0;  // bytes in use beyond this lane's, when it last looked
};

enum class Phase { kOff, kWaiting, kRecording, kPlanning, kServing };

class Timeline {
 public:
  Timeline(uint32_t index, const ArenaConfiguration& configuration, PlanFunction planner,
           ArenaPages& pages);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  // Opens a step; false if one is open already.
  bool BeginStep();
  // REQUIRES: a step is open.
  void EndStep();
  // Waits for planning that is under way. The plan serves from the next BeginStep on.
  void WaitForPlan();

  // A lane for a thread to keep until it ends or ReleaseLane is called; the free one
  // with the lowest index, or a new one.
  Lane* AcquireLane();
  void ReleaseLane(Lane* lane);
  // Readies the lane for the step that is open. False: none is.
  bool EnterStep(Lane& lane);
  bool InStep() const { return open_step_.load() != 0; }

  // A block from the plan, or nullptr: the request has to go upstream.
  void* Serve(Lane& lane, size_t bytes, uint32_t alignment_log2);
  // Whether the address lies in this timeline's range.
  bool Owns(const void* block) const {
    const auto base = base_.load(std::memory_order_acquire);
    return base != 0 && reinterpret_cast<uintptr_t>(block) - base < reserved_;
  }
  // Ends a planned block; returns its bytes. REQUIRES: Owns(block) and it is live: else aborts.
  uint64_t Release(void* block);

  // For lanes with `recording` set.
  RequestRef RecordAllocate(const Lane& lane, size_t bytes, size_t alignment, uint32_t site);
  void RecordFree(const RequestRef& request);

  uint32_t index() const { return index_; }
  Phase phase() const;
  struct Totals {
    int64_t allocs = 0;
    int64_t bytes = 0;
    int64_t largest = 0;
    int64_t peak = 0;
    int64_t hits = 0;
    int64_t misses = 0;
    int64_t unplanned = 0;
    int64_t steps = 0;
    int64_t planned_steps = 0;
    int64_t stable_steps = 0;
    int64_t recorded_steps = 0;
    int64_t committed_bytes = 0;
    int64_t plan_height = 0;
    int64_t plan_lower_bound = 0;
    int64_t plan_peak_live = 0;
  };
  Totals GetTotals() const;
  // Bytes allocated minus freed by the threads of its lanes.
  int64_t LaneBytes() const;

 private:
  void Consider(StepProfile profile);
  void StartPlanning();
  void InstallPlan();
  bool CommitAtLeast(size_t bytes);
  void* ServeElsewhere(Lane& lane, size_t bytes, uint32_t size, uint32_t alignment_log2);
  void* TakeSlot(Lane& lane, uint32_t i, size_t bytes);

  const uint32_t index_;
  const ArenaConfiguration configuration_;
  const PlanFunction planner_;
  ArenaPages& pages_;

  // The step that is open, or 0. Claims re-read it: a thread that comes late, when its
  // step is over, must not take a slot.
  std::atomic<uint64_t> open_step_{0};
  std::atomic<Schedule*> plan_{nullptr};
  std::atomic<uintptr_t> base_{0};
  size_t reserved_ = 0;

  mutable std::mutex mutex_;
  Phase phase_;
  uint64_t steps_ = 0;  // begun so far; the last one's identity
  int64_t planned_steps_ = 0;
  std::vector<std::unique_ptr<Lane>> lanes_;
  StepRecorder recorder_;
  std::atomic<bool> recording_{false};
  std::optional<StepProfile> merged_;
  int64_t stable_steps_ = 0;
  int64_t recorded_steps_ = 0;
  size_t committed_ = 0;
  std::vector<std::unique_ptr<Schedule>> schedules_;
  std::thread planning_;
  std::atomic<bool> plan_ready_{false};
  std::unique_ptr<Schedule> next_plan_;  // written by planning_ until plan_ready_
};

inline void* Timeline::Serve(Lane& lane, size_t bytes, uint32_t alignment_log2) {
  const auto size = static_cast<uint32_t>((bytes + kGranuleBytes - 1) / kGranuleBytes);
  if (lane.next < lane.end) {
    const Schedule::Slot& slot = lane.plan->slot(lane.next);
    if (slot.size == size && slot.alignment_log2 == alignment_log2) {
      const uint32_t i = lane.next++;
      if (slot.offset == Schedule::kNone) {
        lane.counters.unplanned.Add(1);
        return nullptr;
      }
      if (void* const block = TakeSlot(lane, i, bytes)) return block;
    }
  }
  return ServeElsewhere(lane, bytes, size, alignment_log2);
}

inline void* Timeline::TakeSlot(Lane& lane, uint32_t i, size_t bytes) {
  if (!lane.plan->Claim(i, lane.step, bytes)) return nullptr;
  if (open_step_.load() != lane.step) {
    lane.plan->Unclaim(i);
    return nullptr;
  }
  lane.counters.hits.Add(1);
  return reinterpret_cast<void*>(base_.load(std::memory_order_relaxed) +
                                 lane.plan->slot(i).offset * kGranuleBytes);
}

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_TIMELINE_H_
