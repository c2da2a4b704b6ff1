#include "allocators/planner_arena/arena_learner.h"

#include <algorithm>
#include <utility>

namespace plimsoll {
namespace {

// Shapes that are remembered until they come again.
constexpr size_t kMostShapes = 16;
// Steps after one that drifted in which recording goes on.
constexpr uint64_t kAttentiveSteps = 16;
// Steps in a row that missed much before a plan makes way for one of a step that has
// not come again.
constexpr int64_t kMissedInRow = 16;

}  // namespace

Learner::Learner(const ArenaConfiguration& configuration) : configuration_(configuration) {}

bool Learner::WantsStep(uint64_t step) const {
  if (collecting_) return step > static_cast<uint64_t>(configuration_.start_statistic_step);
  return drifted_in_step_ != 0 && step <= drifted_in_step_ + kAttentiveSteps &&
         step >= next_recording_;
}

bool Learner::WantsUnknownShape(uint64_t step, bool larger) const {
  return !collecting_ && (larger || step >= next_recording_);
}

void Learner::Note(const StepOutcome& outcome) {
  if (outcome.Drifted()) drifted_in_step_ = outcome.step;
}

// Puts the profile with what was seen of its shape before.
Learner::Shape& Learner::Remember(StepProfile profile, uint64_t key) {
  const auto known = std::find_if(shapes_.begin(), shapes_.end(), [&](const Shape& shape) {
    return shape.key == key && shape.profile.SameRequests(profile);
  });
  Shape shape;
  if (known == shapes_.end()) {
    shape = Shape{std::move(profile), {}, key, 1, 0};
    if (shapes_.size() == kMostShapes) shapes_.erase(shapes_.begin());
  } else {
    shape = std::move(*known);
    shapes_.erase(known);
    ++shape.seen;
    shape.stable = shape.profile.Merge(profile) ? 0 : shape.stable + 1;
    if (profile.lanes.size() > 1) shape.latest = std::move(profile);
  }
  stable_steps_ = shape.stable;
  shapes_.push_back(std::move(shape));
  return shapes_.back();
}

std::vector<PlanOrder> Learner::Consider(StepProfile profile, const StepOutcome& outcome,
                                         KeptPlans& plans) {
  ++recorded_steps_;
  ++collected_steps_;
  const Shape& shape = Remember(std::move(profile), outcome.shape_key);
  if (collecting_) {
    if (shape.stable >= configuration_.stable_statistic_step ||
        collected_steps_ >= configuration_.max_statistic_step) {
      return EndCollecting();
    }
    return {};
  }
  std::vector<PlanOrder> orders;
  if (std::optional<PlanOrder> order = Adapt(shape, outcome, plans)) {
    orders.push_back(*std::move(order));
    pause_ = 1;
  } else {
    pause_ = std::min(pause_ * 2, kLongestPause);
  }
  next_recording_ = outcome.step + pause_;
  return orders;
}

void Learner::Restart() noexcept {
  collecting_ = true;
  collected_steps_ = 0;
  shapes_.clear();
}

// Plans every shape that came again; if none did, the last one.
std::vector<PlanOrder> Learner::EndCollecting() {
  collecting_ = false;
  std::vector<PlanOrder> orders;
  std::vector<Shape> once;
  for (Shape& shape : shapes_) {
    if (shape.seen > 1) {
      orders.push_back(
          {std::move(shape.profile), 0, shape.key, false, false, std::move(shape.latest)});
    } else {
      once.push_back(std::move(shape));
    }
  }
  if (orders.empty()) {
    orders.push_back({std::move(once.back().profile), 0, once.back().key});
    once.pop_back();
  }
  shapes_ = std::move(once);
  return orders;
}

// What a step that was recorded after the first plans asks for.
std::optional<PlanOrder> Learner::Adapt(const Shape& shape, const StepOutcome& outcome,
                                        KeptPlans& plans) {
  // A planned shape whose lifetimes have changed, or nothing new.
  for (const auto& plan : plans.all()) {
    if (plan->shape_key != shape.key) continue;
    const StepProfile& planned = plan->schedule->profile();
    if (!planned.SameRequests(shape.profile)) continue;
    PlanOrder order{planned, plan->id, plan->shape_key, plan->covers_shapes};
    const bool wider = order.profile.Merge(shape.profile);
    if (shape.profile.lanes.size() > 1) order.latest = shape.profile;
    shapes_.pop_back();
    if (!outcome.Drifted()) return std::nullopt;
    if (outcome.plan != plan->id) {
      plan->missed_permille = 0;  // it would have fitted: it is tried next
    } else if (!wider && !plan->lanes_apart && order.profile.lanes.size() > 1 &&
               outcome.MissedMuch()) {
      order.lanes_apart = true;  // the lifetimes are known, so it is the threads' order
      return order;
    }
    if (!wider) return std::nullopt;
    return order;
  }
  // A shape that has come again gets a plan of its own, and its name stands for it.
  if (shape.seen > 1) {
    PlanOrder order{shape.profile, 0, shape.key, false, false, shape.latest};
    for (const auto& plan : plans.all()) {
      if (shape.key != 0 && plan->shape_key == shape.key) order.replaces = plan->id;
    }
    shapes_.pop_back();
    return order;
  }
  // Much is missed, and it is no shape that comes again: perhaps the threads keep no
  // order among each other.
  const bool lanes = shape.profile.lanes.size() > 1;
  KeptPlan* const served = plans.Find(outcome.plan);
  if (served != nullptr && !served->lanes_apart && lanes && outcome.MissedMuch()) {
    return PlanOrder{shape.profile, served->id, shape.key, false, true};
  }
  // A new one of the same program: the plan that lends to unknown shapes should cover it.
  KeptPlan* const broadest = plans.Broadest();
  if (broadest == nullptr) return std::nullopt;
  const StepProfile& lent = broadest->schedule->profile();
  if (lent.SameStructure(shape.profile) && !lent.Covers(shape.profile)) {
    PlanOrder order{lent, broadest->covers_shapes ? broadest->id : 0, 0, true};
    order.profile.Merge(shape.profile);
    return order;
  }
  // Nothing repeats, and the plan has long been of little use: what comes next is rather
  // like this step than like the one that it was made of.
  if (served != nullptr && served->missed_in_row >= kMissedInRow) {
    return PlanOrder{shape.profile, served->id, shape.key, false, lanes};
  }
  return std::nullopt;
}

}  // namespace plimsoll
