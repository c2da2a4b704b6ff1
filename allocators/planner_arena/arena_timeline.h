#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_TIMELINE_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_TIMELINE_H_

// One sequence of steps with its own clock, profiles, plans and address range: records
// steps until they repeat, has them planned, serves the following ones, and learns
// again when they change.
//
// Thread-safe. Serve and Release take no lock while the program does what was planned;
// a lane belongs to one thread at a time.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "allocators/planner_arena/arena_budget.h"
#include "allocators/planner_arena/arena_lane.h"
#include "allocators/planner_arena/arena_layout.h"
#include "allocators/planner_arena/arena_learner.h"
#include "allocators/planner_arena/arena_pages.h"
#include "allocators/planner_arena/arena_plans.h"
#include "allocators/planner_arena/arena_range.h"
#include "allocators/planner_arena/arena_schedule.h"
#include "allocators/planner_arena/configuration.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

// Says which address and where, and aborts.
[[noreturn]] void AbortOnForeignFree(const void* block);

// Starts a thread; throws std::system_error when the system has none left.
using ThreadStarter = std::function<std::thread(std::function<void()>)>;

// How a thread came to take part in a step.
enum class Entry {
  kUndeclared,  // it allocated while the step was open
  kJoined,      // by a scope of the step's ticket
  kBegan,       // it began the step
};

class Timeline {
 public:
  // What its arena shares among timelines. Outlives them.
  struct Shared {
    const ArenaConfiguration& configuration;
    const PlanFunction& planner;
    ArenaPages& pages;
    ArenaBudget& budget;
    // Rises whenever what threads remember of open steps is no longer true.
    std::atomic<uint64_t>& epoch;
    const ThreadStarter& start_thread;
  };

  Timeline(uint32_t index, const Shared& shared);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  enum class Begun { kBusy, kOpen, kOpenWithNewPlans };

  // Opens a step of this shape, 0 if the caller does not name it; kBusy if a step is
  // open already.
  Begun BeginStep(uint64_t shape_key);
  // REQUIRES: a step is open. Returns whether much was served upstream that will not be
  // from now on, so that upstream has memory to return. When there is no memory to learn
  // from the step, nothing is learnt from it.
  bool EndStep() noexcept;
  bool InStep() const { return serve_.load() != 0; }
  // Waits for planning that is under way, as all who call it do. Its plans serve from the
  // next BeginStep on.
  void WaitForPlan();

  // A lane for a thread to keep until it ends or ReleaseLane is called; the free one
  // with the lowest index, or a new one.
  Lane* AcquireLane();
  void ReleaseLane(Lane* lane);
  // Readies the lane for the step that is open, whose first request may be this one.
  // False: none is open.
  bool EnterStep(Lane& lane, Entry entry, size_t bytes, size_t alignment);

  // A request of a planned step that no plan can serve.
  void CountUnplannable(Lane& lane) { LeaveUpstream(lane); }
  // A block from the plan, or nullptr: the request has to go upstream, and lane.missed
  // says whether that is against the plan. REQUIRES: lane.plan.
  void* Serve(Lane& lane, size_t bytes, uint32_t alignment_log2, uint32_t site);
  // Takes down a request of a lane with `recording` set, in lane.recorded.
  void Record(Lane& lane, size_t bytes, size_t alignment, uint32_t site);
  void RecordFree(const RequestRef& request);

  // Whether the address lies in this timeline's range.
  bool Owns(const void* block) const { return range_.Owns(block); }
  // Ends a planned block; returns its bytes. `lane` is the caller's, or nullptr. Aborts
  // if no live block begins there. REQUIRES: Owns(block).
  uint64_t Release(Lane* lane, void* block);

  // A request of a planned step went upstream, and its block came back.
  void NoteMissed(const Lane& lane, size_t bytes);
  void NoteMissedFreed(uint64_t step, size_t bytes);

  // Gives free pages back to the system; returns bytes. Nothing while a step is open.
  size_t Trim();
  // The same in the midst of a step, which then goes on without its plan: the last resort
  // before a request fails.
  size_t GiveWay();
  // What GiveWay would give, about.
  size_t IdleBytes();

  uint32_t index() const { return index_; }

  struct Report;
  Report GetReport();

 private:
  // The step that is open.
  struct Step {
    uint64_t id = 0;
    uint64_t shape_key = 0;
    uint64_t plan = 0;            // identity of the one that serves it, or 0
    std::vector<uint64_t> tried;  // plans that it seemed to fit, in turn
    bool first_part_taken = false;
    uint32_t instead = 0;  // the part of lane 0, if another took the first
    bool chosen = false;
    bool unknown_shape = false;
    bool lent = false;
    bool abandoned = false;
    bool waiting = false;  // for the first plan, which is being made
    bool recording = false;
    bool wanted = false;  // recorded for its own sake
    int switches = 0;
    int64_t allocs_before = 0;
    int64_t misses_before = 0;
  };

  void ChoosePlan(uint32_t lane, uint32_t size, uint32_t alignment_log2);
  void Activate(KeptPlan* plan, uint64_t previous) noexcept;
  void Ready(KeptPlan& plan, uint64_t previous);
  void Learn(const StepOutcome& outcome);
  void DropRecording() noexcept;
  void RestartIfIdle() noexcept;
  void NoteFit(const StepOutcome& outcome);
  uint32_t TakePart(const Lane& lane, Entry entry);
  void Enter(Lane& lane);
  void StartRecording();
  void* ServeElsewhere(Lane& lane, size_t bytes, uint32_t alignment_log2, uint32_t site,
                       bool waits);
  void* TakeOutOfOrder(Lane& lane, const Schedule::Wanted& wanted, size_t bytes, bool waits);
  void* TakeSlot(Lane& lane, uint32_t i, size_t bytes);
  void Unclaim(const Lane& lane, uint32_t i);
  void* LeaveUpstream(Lane& lane);
  void Depart(Lane& lane, uint32_t size, uint32_t alignment_log2);
  void Borrow(Lane& lane);
  void SwitchTo(Lane& lane, KeptPlan& plan);
  bool CommitFor(Lane& lane, uint32_t end);
  void Abandon(const Lane& lane);
  void LeavePlan();
  size_t GiveBackFree() noexcept;
  void QueuePlans(std::vector<PlanOrder> orders);
  void StartPlanning() noexcept;
  void MakePlans(uint64_t most_bytes) noexcept;
  bool InstallPlans();
  bool InstallAll();
  std::vector<ArenaRange::Bytes> LiveBytes();
  void ShrinkToRecentNeed();
  int64_t SumMisses() const;
  int64_t SumAllocs() const;
  int64_t LiveBlocks() const;

  const uint32_t index_;
  const Shared shared_;

  // Under which claims count: changes with every step and every change of plan within
  // one; 0 between steps. Claims re-read it: a thread that comes late must not take a slot.
  std::atomic<uint64_t> serve_{0};
  std::atomic<bool> recording_{false};
  std::atomic<int64_t> missed_bytes_{0};  // live, of the open step
  std::atomic<uint64_t> missed_step_{0};
  std::atomic<int64_t> abandon_at_{0};  // missed_bytes_ at which the plan is given up
  std::atomic<int64_t> released_{0};    // planned blocks, by threads without a lane here

  // On a line of its own: what every request reads stands above.
  alignas(64) mutable std::mutex mutex_;
  uint64_t steps_ = 0;           // begun so far; the last one's identity
  uint64_t last_serve_ = 0;      // the last value of serve_ but 0
  uint64_t previous_serve_ = 0;  // at the end of the step before
  uint64_t previous_plan_ = 0;
  int64_t planned_steps_ = 0;
  Step step_;
  // A thread took part that declared nothing: a request of its may still be under way when
  // its step is long over.
  bool undeclared_ = false;
  std::vector<std::unique_ptr<Lane>> lanes_;
  ArenaRange range_;
  KeptPlans plans_;
  std::shared_ptr<Schedule> plan_;  // of the open step
  StepRecorder recorder_;
  Learner learner_;
  StepOutcome kept_outcome_;  // of the step whose profile the recorder keeps
  uint32_t recent_need_ = 0;  // granules, in this window of steps
  uint32_t earlier_need_ = 0;

  std::vector<PlanOrder> orders_;  // waiting
  std::vector<PlanOrder> in_work_;
  std::vector<std::shared_ptr<Schedule>> planned_;  // written by planning_ until plans_ready_
  std::thread planning_;
  std::mutex waiting_;  // for planning_; taken before mutex_
  std::atomic<bool> plans_ready_{false};
};

// What a timeline says of itself.
struct Timeline::Report {
  struct OfPlan {
    std::shared_ptr<Schedule> schedule;
    uint64_t id = 0;
    uint64_t shape_key = 0;
    bool covers_shapes = false;
    bool lanes_apart = false;
    int64_t steps_served = 0;
    int64_t age_steps = 0;  // steps since it was made
  };

  const char* phase = "";
  int64_t allocs = 0;
  int64_t bytes = 0;
  int64_t largest = 0;
  int64_t peak = 0;
  int64_t unplanned = 0;
  std::array<int64_t, kSizeClasses> hits = {};
  std::array<int64_t, kSizeClasses> misses = {};
  int64_t steps = 0;
  int64_t planned_steps = 0;
  int64_t recorded_steps = 0;
  int64_t stable_steps = 0;
  int64_t committed_bytes = 0;
  int64_t largest_free_bytes = 0;  // among committed bytes
  bool hints_taken = true;
  std::vector<OfPlan> plans;
  std::vector<ArenaRange::Bytes> live;  // sorted
  std::unordered_map<uint32_t, uint64_t> live_bytes_by_site;
};

[[gnu::always_inline]] inline void* Timeline::Serve(Lane& lane, size_t bytes,
                                                    uint32_t alignment_log2, uint32_t site) {
  const uint64_t size = (bytes + kGranuleBytes - 1) / kGranuleBytes;
  ++lane.requests;
  bool waits = false;
  if (lane.next < lane.end) {
    const Schedule::Slot& slot = lane.plan->slot(lane.next);
    if (slot.size == size && slot.alignment_log2 == alignment_log2 && slot.site == site) {
      const uint32_t i = lane.next++;
      if (slot.offset == Schedule::kNone) {
        return LeaveUpstream(lane);
      }
      if (void* const block = TakeSlot(lane, i, bytes)) return block;
      waits = !lane.plan->Taken(i, lane.serve);
    }
  }
  return ServeElsewhere(lane, bytes, alignment_log2, site, waits);
}

// Inlined into Serve: a call costs a twentieth of a request.
[[gnu::always_inline]] inline void* Timeline::TakeSlot(Lane& lane, uint32_t i, size_t bytes) {
  const Schedule::Slot& slot = lane.plan->slot(i);
  if (slot.offset + slot.size > lane.committed && !CommitFor(lane, slot.offset + slot.size)) {
    return nullptr;
  }
  const Schedule::Claimed claimed = lane.plan->Claim(i, lane.serve);
  if (claimed == Schedule::Claimed::kNo) return nullptr;
  if (claimed == Schedule::Claimed::kInUse || serve_.load() != lane.serve) {
    Unclaim(lane, i);
    return nullptr;
  }
  lane.plan->Publish(i, bytes);
  lane.last_taken = i;
  lane.counters.live.AddReleasing(1);
  lane.counters.hits[SizeClassOf(slot.size)].Add(1);
  return reinterpret_cast<void*>(range_.base() + slot.offset * kGranuleBytes);
}

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_TIMELINE_H_
