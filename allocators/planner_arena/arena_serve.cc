// The part of a timeline that is off the planned path: requests that are not the next
// one planned, recording, and steps that leave their plan.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "allocators/planner_arena/arena_timeline.h"

namespace plimsoll {
namespace {

// How far into a step another plan may still take over.
constexpr uint32_t kEarly = 64;
// Requests of sizes that the plan does not have left before a step's shape counts as new, if
// they are half of all so far at least: fewer are changes of a known one.
constexpr uint32_t kManyStrays = 4;
// Changes of plan within one step.
constexpr int kMostSwitches = 2;
// Planned requests that are left out, or come late, all at once.
constexpr uint32_t kResync = 8;

}  // namespace

void AbortOnForeignFree(const void* block) {
  std::fprintf(stderr,
               "%s:%d: free of %p: no live block of the arena begins there (freed twice, or not "
               "what an allocation returned)\n",
               __FILE__, __LINE__, block);
  std::abort();
}

// The plan itself leaves the request to upstream, as every plan would.
void* Timeline::LeaveUpstream(Lane& lane) {
  lane.counters.unplanned.Add(1);
  lane.missed = false;
  return nullptr;
}

void* Timeline::ServeElsewhere(Lane& lane, size_t bytes, uint32_t alignment_log2, uint32_t site,
                               bool waits) {
  const uint64_t granules = (bytes + kGranuleBytes - 1) / kGranuleBytes;
  lane.missed = true;
  if (granules == 0 || granules >= Schedule::kNone) return LeaveUpstream(lane);
  const auto size = static_cast<uint32_t>(granules);
  if (!lane.lent && lane.requests <= kEarly) Depart(lane, size, alignment_log2);
  if (!lane.lent && lane.plan != nullptr) {
    const Schedule::Wanted wanted = {lane.serve, size, alignment_log2, site};
    if (void* const block = TakeOutOfOrder(lane, wanted, bytes, waits)) return block;
  }
  if (lane.lent && lane.next < lane.end) {
    const uint32_t i = lane.next++;
    const Schedule::Slot& slot = lane.plan->slot(i);
    if (slot.offset == Schedule::kNone) return LeaveUpstream(lane);
    if (slot.size >= size && slot.alignment_log2 >= alignment_log2) {
      if (void* const block = TakeSlot(lane, i, bytes)) return block;
    }
  }
  lane.counters.misses[SizeClassOf(size)].Add(1);
  return nullptr;
}

// Which step's plan is being made ready, and may have met the claim, is certain only here.
void Timeline::Unclaim(const Lane& lane, uint32_t i) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lane.plan->Unclaim(i, last_serve_);
}

// A slot of exactly what is asked for, without taking from other requests what they are
// about to need: one miss must not lead to the next.
void* Timeline::TakeOutOfOrder(Lane& lane, const Schedule::Wanted& wanted, size_t bytes,
                               bool waits) {
  const Schedule& plan = *lane.plan;
  // Left out so far, a moment ago rather than long ago.
  const uint32_t first = plan.LaneBegin(lane.part);
  const uint32_t recent = lane.next - std::min(lane.next - first, kResync);
  uint32_t i = plan.FindUnused(wanted, recent, lane.next);
  if (i == Schedule::kNone) i = plan.FindUnused(wanted, first, recent);
  if (i != Schedule::kNone) {
    if (void* const block = TakeSlot(lane, i, bytes)) return block;
  }
  // Its own slot is there, and only its bytes are in use.
  if (waits) return nullptr;
  // About to come: what was to come before is left out, or comes later.
  i = plan.FindUnused(wanted, lane.next, std::min(lane.next + kResync, lane.end));
  if (i == Schedule::kNone) {
    // Or the lane has fallen behind what it has asked for by now.
    const uint32_t place = std::min(first + lane.requests - 1, lane.end);
    if (place > lane.next) {
      i = plan.FindUnused(wanted, std::max(lane.next, place - std::min(place, kResync)),
                          std::min(place + kResync, lane.end));
    }
  }
  if (i != Schedule::kNone) {
    if (void* const block = TakeSlot(lane, i, bytes)) {
      lane.next = i + 1;
      return block;
    }
  }
  i = plan.FindReady(wanted);
  if (i != Schedule::kNone) return TakeSlot(lane, i, bytes);
  if (plan.FindUnused(wanted, 0, plan.num_slots()) == Schedule::kNone && lane.requests <= kEarly &&
      ++lane.strays >= kManyStrays && 2 * lane.strays >= lane.requests) {
    Borrow(lane);
  }
  return nullptr;
}

// The lane's request is not the next one planned. When that happens for the first time
// and early in the step, another plan that begins as the step did may take over.
void Timeline::Depart(Lane& lane, uint32_t size, uint32_t alignment_log2) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (serve_.load() != lane.serve || step_.lent || lane.departed) return;
  const uint32_t come = lane.requests - 1;  // this one is counted already
  const uint32_t here = lane.plan->LaneBegin(lane.part) + come;
  if (here < lane.end && lane.plan->slot(here).size == size) return;  // only its bytes are in use
  lane.departed = true;
  KeptPlan* const current = plans_.Find(step_.plan);
  if (current == nullptr || step_.switches == kMostSwitches) return;
  KeptPlan* const next = plans_.ChooseByPrefix(*current, lane.part, come, size, alignment_log2);
  if (next != nullptr) SwitchTo(lane, *next);
}

// The lane's requests are of sizes that the plan does not have: a new shape, so it takes
// the slots of the plan that covers most, in order.
void Timeline::Borrow(Lane& lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (serve_.load() != lane.serve) return;
  KeptPlan* const broadest = plans_.Broadest();
  step_.unknown_shape = true;
  step_.lent = true;
  if (broadest != nullptr && broadest->id != step_.plan && step_.switches < kMostSwitches) {
    SwitchTo(lane, *broadest);
  } else {
    Enter(lane);
  }
  // This request's place is the one before those still to come.
  if (lane.next > 0 && lane.plan != nullptr) --lane.next;
}

// As between two steps: claims under the old number end first, then what they hold is
// looked at.
void Timeline::SwitchTo(Lane& lane, KeptPlan& plan) {
  ++step_.switches;
  serve_.store(++last_serve_);
  Activate(&plan, 0);
  shared_.epoch.fetch_add(1, std::memory_order_release);
  Enter(lane);
}

void Timeline::Record(Lane& lane, size_t bytes, size_t alignment, uint32_t site) {
  lane.recorded = {};
  const std::lock_guard<std::mutex> lock(mutex_);
  // The step may have ended since the lane entered it.
  if (!step_.recording || serve_.load() == 0 || step_.id != lane.step) return;
  try {
    lane.recorded = recorder_.Allocate(lane.part, bytes, static_cast<uint32_t>(alignment), site);
  } catch (const std::bad_alloc&) {
    DropRecording();
  }
}

void Timeline::RecordFree(const RequestRef& request) {
  if (!request) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (recording_.load(std::memory_order_relaxed)) recorder_.Free(request);
}

uint64_t Timeline::Release(Lane* lane, void* block) {
  const uintptr_t from_base = reinterpret_cast<uintptr_t>(block) - range_.base();
  if (from_base % kGranuleBytes != 0) AbortOnForeignFree(block);
  const auto offset = static_cast<uint32_t>(from_base / kGranuleBytes);
  Schedule* schedule = lane != nullptr ? lane->plan : nullptr;
  uint32_t slot = schedule != nullptr ? schedule->LiveSlotAt(offset) : Schedule::kNone;
  if (slot == Schedule::kNone || recording_.load(std::memory_order_relaxed)) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (slot == Schedule::kNone) {
      const KeptPlans::Held held = plans_.FindLive(offset);
      if (held.slot == Schedule::kNone) AbortOnForeignFree(block);
      schedule = held.schedule;
      slot = held.slot;
    }
    if (recording_.load(std::memory_order_relaxed)) recorder_.Free(schedule->GetRequest(slot));
  }
  const uint64_t bytes = schedule->Release(slot);
  if (lane != nullptr) {
    lane->counters.live.AddReleasing(-1);
  } else {
    released_.fetch_add(1, std::memory_order_release);
  }
  return bytes;
}

bool Timeline::CommitFor(Lane& lane, uint32_t end) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (lane.plan != plan_.get()) return false;
  const bool committed = range_.CommitTo(end * kGranuleBytes, lane.plan->height() * kGranuleBytes);
  lane.committed = static_cast<uint32_t>(range_.committed() / kGranuleBytes);
  return committed;
}

void Timeline::NoteMissed(const Lane& lane, size_t bytes) {
  if (lane.step != missed_step_.load(std::memory_order_relaxed)) return;
  const auto size = static_cast<int64_t>(bytes);
  const int64_t missed = missed_bytes_.fetch_add(size, std::memory_order_relaxed) + size;
  if (missed > abandon_at_.load(std::memory_order_relaxed)) Abandon(lane);
}

void Timeline::NoteMissedFreed(uint64_t step, size_t bytes) {
  if (step != missed_step_.load(std::memory_order_relaxed)) return;
  missed_bytes_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

// The step goes on without a plan, and the pages that the plan leaves idle go back.
void Timeline::Abandon(const Lane& lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (serve_.load() != lane.serve || plan_ == nullptr) return;
  LeavePlan();
  GiveBackFree();
}

// Claims under the old number end first, then what they hold may be looked at.
void Timeline::LeavePlan() {
  serve_.store(++last_serve_);
  plan_.reset();
  step_.abandoned = true;
  shared_.epoch.fetch_add(1, std::memory_order_release);
}

}  // namespace plimsoll
