#include "allocators/planner_arena/arena_timeline.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace plimsoll {
namespace {

uint64_t MachineMemoryBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void AbortOnForeignFree(const void* block) {
  std::fprintf(stderr,
               "%s:%d: free of %p: no live block of the arena begins there (freed twice, or not "
               "what an allocation returned)\n",
               __FILE__, __LINE__, block);
  std::abort();
}

Timeline::Timeline(uint32_t index, const ArenaConfiguration& configuration, PlanFunction planner,
                   ArenaPages& pages)
    : index_(index),
      configuration_(configuration),
      planner_(std::move(planner)),
      pages_(pages),
      phase_(configuration.enable_memory_optimization ? Phase::kWaiting : Phase::kOff) {}

Timeline::~Timeline() {
  WaitForPlan();
  if (base_ != 0) pages_.Release(reinterpret_cast<void*>(base_.load()), reserved_);
}

bool Timeline::BeginStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (open_step_.load() != 0) return false;
  const uint64_t previous = steps_;
  const uint64_t step = ++steps_;
  if (phase_ == Phase::kWaiting &&
      previous >= static_cast<uint64_t>(configuration_.start_statistic_step)) {
    phase_ = Phase::kRecording;
    recording_.store(true, std::memory_order_relaxed);
  }
  if (plan_ready_.load(std::memory_order_acquire)) InstallPlan();
  // First the step, then the look at what is live: a claim of the step before that is
  // still on its way either sees the new step or is seen here.
  open_step_.store(step);
  if (recording_.load(std::memory_order_relaxed)) recorder_.BeginStep(step);
  if (Schedule* const plan = plan_.load(std::memory_order_relaxed)) {
    plan->Prepare(step, previous, {});
    ++planned_steps_;
  }
  return true;
}

void Timeline::EndStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  open_step_.store(0);
  if (!recording_.load(std::memory_order_relaxed)) return;
  if (std::optional<StepProfile> profile = recorder_.EndStep()) Consider(*std::move(profile));
}

void Timeline::Consider(StepProfile profile) {
  ++recorded_steps_;
  if (!merged_ || !merged_->SameRequests(profile)) {
    merged_ = std::move(profile);
    stable_steps_ = 0;
  } else if (merged_->Merge(profile)) {
    stable_steps_ = 0;
  } else {
    ++stable_steps_;
  }
  if (stable_steps_ >= configuration_.stable_statistic_step ||
      recorded_steps_ >= configuration_.max_statistic_step) {
    StartPlanning();
  }
}

void Timeline::StartPlanning() {
  phase_ = Phase::kPlanning;
  recording_.store(false, std::memory_order_relaxed);
  recorder_.Reset();
  const auto plan = [this, profile = *std::move(merged_)] {
    next_plan_ = std::make_unique<Schedule>(profile, MakeLayout(profile, planner_));
    plan_ready_.store(true, std::memory_order_release);
  };
  merged_.reset();
  if (configuration_.plan_in_background) {
    planning_ = std::thread(plan);
  } else {
    plan();
  }
}

void Timeline::WaitForPlan() {
  std::thread planning;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    planning = std::move(planning_);
  }
  if (planning.joinable()) planning.join();
}

void Timeline::InstallPlan() {
  if (planning_.joinable()) planning_.join();
  plan_ready_.store(false, std::memory_order_relaxed);
  std::unique_ptr<Schedule> plan = std::move(next_plan_);
  phase_ = Phase::kServing;
  if (!CommitAtLeast(plan->height() * kGranuleBytes)) return;
  plan_.store(plan.get(), std::memory_order_release);
  schedules_.push_back(std::move(plan));
}

bool Timeline::CommitAtLeast(size_t bytes) {
  if (base_.load(std::memory_order_relaxed) == 0) {
    reserved_ =
        configuration_.reserve_bytes != 0 ? configuration_.reserve_bytes : MachineMemoryBytes();
    void* const base = pages_.Reserve(reserved_);
    if (base == nullptr) return false;
    base_.store(reinterpret_cast<uintptr_t>(base), std::memory_order_release);
  }
  if (bytes > reserved_) return false;
  if (bytes <= committed_) return true;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t target = (bytes + page - 1) / page * page;
  if (!pages_.Commit(reinterpret_cast<void*>(base_.load()), target)) return false;
  committed_ = target;
  return true;
}

Lane* Timeline::AcquireLane() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& lane : lanes_) {
    if (lane->taken) continue;
    lane->taken = true;
    return lane.get();
  }
  auto lane = std::make_unique<Lane>();
  lane->timeline = this;
  lane->index = static_cast<uint32_t>(lanes_.size());
  lane->taken = true;
  lanes_.push_back(std::move(lane));
  return lanes_.back().get();
}

void Timeline::ReleaseLane(Lane* lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lane->taken = false;
}

bool Timeline::EnterStep(Lane& lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t step = open_step_.load();
  if (step == 0) return false;
  if (lane.step == step) return true;
  lane.step = step;
  lane.plan = plan_.load(std::memory_order_relaxed);
  lane.recording = recording_.load(std::memory_order_relaxed);
  lane.next = lane.plan ? lane.plan->LaneBegin(lane.index) : 0;
  lane.end = lane.plan ? lane.plan->LaneEnd(lane.index) : 0;
  return true;
}

void* Timeline::ServeElsewhere(Lane& lane, size_t bytes, uint32_t size, uint32_t alignment_log2) {
  if (lane.plan == nullptr) return nullptr;
  // Three tries: a slot whose bytes are still in use is passed over.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const uint32_t i = lane.plan->FindUnused(lane.step, size, alignment_log2);
    if (i == Schedule::kNone) break;
    if (void* const block = TakeSlot(lane, i, bytes)) {
      // Go on from there, unless it was another lane's.
      if (lane.plan->slot(i).lane == lane.index) lane.next = i + 1;
      return block;
    }
  }
  lane.counters.misses.Add(1);
  return nullptr;
}

uint64_t Timeline::Release(void* block) {
  const uintptr_t from_base = reinterpret_cast<uintptr_t>(block) - base_.load();
  if (from_base % kGranuleBytes != 0) AbortOnForeignFree(block);
  const auto offset = static_cast<uint32_t>(from_base / kGranuleBytes);
  Schedule* const plan = plan_.load(std::memory_order_acquire);
  const uint32_t i = plan->LiveSlotAt(offset);
  if (i != Schedule::kNone) return plan->Release(i);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& other : schedules_) {
    const uint32_t j = other->LiveSlotAt(offset);
    if (j != Schedule::kNone) return other->Release(j);
  }
  AbortOnForeignFree(block);
}

RequestRef Timeline::RecordAllocate(const Lane& lane, size_t bytes, size_t alignment,
                                    uint32_t site) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // The step may have ended since the lane entered it.
  if (!recording_.load(std::memory_order_relaxed) || open_step_.load() != lane.step) return {};
  return recorder_.Allocate(lane.index, bytes, static_cast<uint32_t>(alignment), site);
}

void Timeline::RecordFree(const RequestRef& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (recording_.load(std::memory_order_relaxed)) recorder_.Free(request);
}

Phase Timeline::phase() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return phase_;
}

int64_t Timeline::LaneBytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  int64_t bytes = 0;
  for (const auto& lane : lanes_) bytes += lane->counters.bytes.Get();
  return bytes;
}

Timeline::Totals Timeline::GetTotals() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  Totals totals;
  for (const auto& lane : lanes_) {
    totals.allocs += lane->counters.allocs.Get();
    totals.bytes += lane->counters.bytes.Get();
    totals.largest = std::max(totals.largest, lane->counters.largest.Get());
    totals.peak = std::max(totals.peak, lane->counters.peak.Get());
    totals.hits += lane->counters.hits.Get();
    totals.misses += lane->counters.misses.Get();
    totals.unplanned += lane->counters.unplanned.Get();
  }
  totals.steps = static_cast<int64_t>(steps_);
  totals.planned_steps = planned_steps_;
  totals.stable_steps = stable_steps_;
  totals.recorded_steps = recorded_steps_;
  totals.committed_bytes = static_cast<int64_t>(committed_);
  if (const Schedule* const plan = plan_.load(std::memory_order_relaxed)) {
    totals.plan_height = plan->layout().height;
    totals.plan_lower_bound = plan->layout().lower_bound;
    totals.plan_peak_live = plan->layout().peak_live;
  }
  return totals;
}

}  // namespace plimsoll
