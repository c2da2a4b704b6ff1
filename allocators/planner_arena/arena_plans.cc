#include "allocators/planner_arena/arena_plans.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace plimsoll {
namespace {

bool Fits(const Schedule::Slot& slot, uint32_t size, uint32_t alignment_log2) {
  return slot.size == size && slot.alignment_log2 == alignment_log2;
}

// Whether request number `at` of the lane is this.
bool Asks(const Schedule& schedule, uint32_t lane, uint32_t at, uint32_t size,
          uint32_t alignment_log2) {
  const uint32_t i = schedule.LaneBegin(lane) + at;
  return i < schedule.LaneEnd(lane) && Fits(schedule.slot(i), size, alignment_log2);
}

}  // namespace

KeptPlan& KeptPlans::Add(KeptPlan plan, uint64_t replaces) {
  const auto old = std::find_if(plans_.begin(), plans_.end(),
                                [&](const auto& kept) { return kept->id == replaces; });
  if (old != plans_.end()) {
    Retire(static_cast<size_t>(old - plans_.begin()));
  } else if (plans_.size() >= most_) {
    const auto least = std::min_element(plans_.begin(), plans_.end(), [](auto& a, auto& b) {
      return a->last_used_in_step < b->last_used_in_step;
    });
    Retire(static_cast<size_t>(least - plans_.begin()));
  }
  plan.id = next_id_++;
  plan.last_used_in_step = plan.made_in_step;
  plans_.push_back(std::make_unique<KeptPlan>(std::move(plan)));
  return *plans_.back();
}

// Its schedule lives on among used_ while it may have live blocks, and with lanes that
// have not left it yet.
void KeptPlans::Retire(size_t index) {
  plans_.erase(plans_.begin() + static_cast<std::ptrdiff_t>(index));
}

KeptPlan* KeptPlans::Choose(uint64_t shape_key, uint32_t lane, uint32_t size,
                            uint32_t alignment_log2, uint64_t previous) {
  KeptPlan* chosen = nullptr;
  if (shape_key != 0) {
    for (const auto& plan : plans_) {
      if (plan->shape_key == shape_key) chosen = plan.get();
    }
    return chosen;
  }
  const KeptPlan* const last = Find(previous);
  const auto best_of = [&](auto&& suits) {
    KeptPlan* best = nullptr;
    for (const auto& plan : plans_) {
      if (!suits(*plan->schedule)) continue;
      const auto rank = [&](const KeptPlan& kept) {
        return std::tuple(-kept.missed_permille, last != nullptr && last->followed_by == kept.id,
                          kept.schedule->num_slots());
      };
      if (best == nullptr || rank(*plan) > rank(*best)) best = plan.get();
    }
    return best;
  };
  chosen = best_of(
      [&](const Schedule& schedule) { return Asks(schedule, lane, 0, size, alignment_log2); });
  if (chosen != nullptr) return chosen;
  // Perhaps a known shape whose threads or requests come in another order.
  return best_of([&](const Schedule& schedule) { return schedule.Has(size, alignment_log2); });
}

KeptPlan* KeptPlans::ChooseByPrefix(const KeptPlan& current, uint32_t lane, uint32_t count,
                                    uint32_t size, uint32_t alignment_log2) {
  const Schedule& mine = *current.schedule;
  for (const auto& plan : plans_) {
    if (plan->id == current.id) continue;
    const Schedule& theirs = *plan->schedule;
    if (!Asks(theirs, lane, count, size, alignment_log2)) continue;
    uint32_t same = 0;
    while (same < count) {
      const Schedule::Slot& slot = mine.slot(mine.LaneBegin(lane) + same);
      if (!Asks(theirs, lane, same, slot.size, slot.alignment_log2)) break;
      ++same;
    }
    if (same == count) return plan.get();
  }
  return nullptr;
}

KeptPlan* KeptPlans::Broadest() {
  KeptPlan* chosen = nullptr;
  for (const auto& plan : plans_) {
    if (chosen == nullptr || std::pair(plan->covers_shapes, plan->schedule->height()) >
                                 std::pair(chosen->covers_shapes, chosen->schedule->height())) {
      chosen = plan.get();
    }
  }
  return chosen;
}

KeptPlan* KeptPlans::Find(uint64_t id) {
  for (const auto& plan : plans_) {
    if (plan->id == id) return plan.get();
  }
  return nullptr;
}

std::vector<Schedule::Range> KeptPlans::LiveRanges(const Schedule* except) const {
  std::vector<Schedule::Range> all;
  for (const auto& schedule : used_) {
    if (schedule.get() == except) continue;
    const std::vector<Schedule::Range> live = schedule->LiveRanges();
    all.insert(all.end(), live.begin(), live.end());
  }
  return all;
}

void KeptPlans::ForgetIdle(const Schedule& serving) {
  std::erase_if(used_, [&](const std::shared_ptr<Schedule>& schedule) {
    return schedule.get() != &serving && schedule->LiveRanges().empty();
  });
}

std::unordered_map<uint32_t, uint64_t> KeptPlans::LiveBytesBySite() const {
  std::unordered_map<uint32_t, uint64_t> bytes;
  for (const auto& schedule : used_) {
    for (uint32_t i = 0; i < schedule->num_slots(); ++i) {
      const uint64_t live = schedule->live_bytes(i);
      if (live != 0) bytes[schedule->site(i)] += live;
    }
  }
  return bytes;
}

KeptPlans::Held KeptPlans::FindLive(uint32_t offset) const {
  for (const auto& schedule : used_) {
    const uint32_t slot = schedule->LiveSlotAt(offset);
    if (slot != Schedule::kNone) return {schedule.get(), slot};
  }
  return {};
}

void KeptPlans::MarkUsed(KeptPlan& plan, uint64_t step) {
  plan.last_used_in_step = step;
  if (std::find(used_.begin(), used_.end(), plan.schedule) == used_.end()) {
    used_.push_back(plan.schedule);
  }
}

void KeptPlans::MarkOnlyUsed(KeptPlan& plan, uint64_t step) {
  plan.last_used_in_step = step;
  used_ = {plan.schedule};
}

}  // namespace plimsoll
