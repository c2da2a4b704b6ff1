#include "allocators/planner_arena/planner/planner.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "allocators/planner_arena/planner/deadline.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/part_planner.h"

namespace plimsoll {
namespace {

Status CheckOptions(const PlanOptions& options) {
  if (options.capacity && *options.capacity <= 0) {
    return BadValue("", "capacity", std::to_string(*options.capacity), "expected > 0 bytes");
  }
  if (options.time_limit && !(*options.time_limit >= 0)) {
    return BadValue("", "time limit", std::to_string(*options.time_limit), "expected >= 0 seconds");
  }
  if (options.threads < 1) {
    return BadValue("", "threads", std::to_string(options.threads), "expected >= 1");
  }
  if (options.effort < 0) {
    return BadValue("", "effort", std::to_string(options.effort), "expected >= 0");
  }
  return {};
}

// Between two reports that tell of nothing better.
constexpr std::chrono::milliseconds kBetweenReports(50);

// A fraction of a second.
constexpr int64_t kEffortAtOnce = 50'000'000;

// All parts of one problem.
class Planner {
 public:
  Planner(const Packing& packing, const PlanOptions& options)
      : packing_(packing), options_(options) {
    for (const Part& part : packing.parts) bound_ = std::max(bound_, part.lower_bound);
    const bool any_low_enough = options.capacity && !options.minimize;
    goal_ = any_low_enough ? *options.capacity / packing.unit : bound_;
    PartPlanner::Options of_part;
    // A part need not be lower than the highest must be.
    of_part.goal = goal_;
    of_part.ladder = !any_low_enough;
    if (options.time_limit) of_part.deadline = Deadline::After(*options.time_limit);
    of_part.threads = options.threads;
    of_part.effort = options.effort / std::max<int64_t>(1, std::ssize(packing.parts));
    if (options.progress) of_part.on_progress = [this](bool better) { Report(better); };
    for (const Part& part : packing.parts) {
      parts_.push_back(std::make_unique<PartPlanner>(part, of_part));
    }
  }

  void Run() {
    for (const auto& part : parts_) part->PlanAtOnce();
    for (const auto& part : parts_) part->PlanGreedily();
    for (const auto& part : parts_) {
      if (IsLost()) return;
      if (!part->Done()) part->PlanTiled();
      if (!part->Done()) part->PlanMerged();
    }
    PlanExactly();
    if (options_.time_limit) UseTime();
  }

  // Units.
  int64_t Height() const {
    int64_t height = 0;
    for (const auto& part : parts_) height = std::max(height, part->best().height);
    return height;
  }
  int64_t Proven() const {
    int64_t proven = 0;
    for (const auto& part : parts_) proven = std::max(proven, part->proven());
    return proven;
  }
  int64_t Nodes() const {
    int64_t nodes = 0;
    for (const auto& part : parts_) nodes += part->nodes();
    return nodes;
  }

  PlanResult Result(size_t num_buffers) const {
    PlanResult result;
    result.plan.offsets.assign(num_buffers, 0);
    result.plan.height = Height() * packing_.unit;
    result.plan.lower_bound = Proven() * packing_.unit;
    result.nodes = Nodes();
    for (size_t p = 0; p < parts_.size(); ++p) {
      const PartPlan& best = parts_[p]->best();
      if (best.height == Height() && result.method.empty()) result.method = parts_[p]->method();
      for (size_t i = 0; i < best.offsets.size(); ++i) {
        const auto id = static_cast<size_t>(packing_.parts[p].ids[i]);
        result.plan.offsets[id] = best.offsets[i] * packing_.unit;
      }
    }
    if (options_.capacity) {
      result.fits = result.plan.height <= *options_.capacity       ? Fits::kYes
                    : result.plan.lower_bound > *options_.capacity ? Fits::kNo
                                                                   : Fits::kUndecided;
    }
    return result;
  }

 private:
  // What easy parts leave of the effort is for the hard ones.
  void PlanExactly() {
    int64_t left = 0;
    for (const auto& part : parts_) left += part->effort();
    for (int64_t before = left + 1; left > 0 && left < before;) {
      before = left;
      const int64_t open = std::count_if(parts_.begin(), parts_.end(), [&](const auto& part) {
        part->RaiseGoal(std::max(goal_, Proven()));
        return !part->Done();
      });
      for (const auto& part : parts_) {
        if (IsLost()) return;
        part->RaiseGoal(std::max(goal_, Proven()));
        if (part->Done()) continue;
        const int64_t share = std::max<int64_t>(1, before / open);
        part->GiveEffort(share);
        part->PlanExactly();
        left -= share - part->effort();
      }
    }
  }

  // What is left of the time goes to the part that makes the plan as high as it is: half to
  // search and half to chance, in turn.
  void UseTime() {
    using Clock = std::chrono::steady_clock;
    for (;;) {
      const auto highest = std::max_element(
          parts_.begin(), parts_.end(),
          [](const auto& a, const auto& b) { return a->best().height < b->best().height; });
      if (highest == parts_.end() || IsLost()) return;
      PartPlanner& part = **highest;
      part.RaiseGoal(std::max(goal_, Proven()));
      if (part.Done()) return;
      const Clock::time_point begin = Clock::now();
      part.GiveEffort(options_.effort == 0 ? 0 : kEffortAtOnce);
      part.PlanExactly();
      const Clock::time_point middle = Clock::now();
      do {
        if (part.Done()) break;
        if (!part.PlanAgain()) return;
      } while (Clock::now() - middle < middle - begin);
    }
  }

  // One part that is proven not to fit settles the question.
  bool IsLost() const { return options_.capacity && !options_.minimize && Proven() > goal_; }

  void Report(bool better) {
    const auto now = std::chrono::steady_clock::now();
    if (!better && now - reported_at_ < kBetweenReports) return;
    for (const auto& part : parts_) {
      if (part->best().offsets.empty()) return;  // no whole plan yet
    }
    reported_at_ = now;
    options_.progress({Height() * packing_.unit, Proven() * packing_.unit, Nodes()});
  }

  const Packing& packing_;
  const PlanOptions& options_;
  int64_t bound_ = 0;
  int64_t goal_ = 0;
  std::chrono::steady_clock::time_point reported_at_ = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<PartPlanner>> parts_;
};

}  // namespace

double PlanResult::Gap() const {
  if (plan.lower_bound == 0) return 0;
  return static_cast<double>(plan.height - plan.lower_bound) /
         static_cast<double>(plan.lower_bound);
}

Expected<PlanResult> MakePlan(const std::vector<Buffer>& buffers, const PlanOptions& options) {
  if (Status good = CheckBuffers(buffers); !good) return tl::unexpected(good.error());
  if (Status good = CheckOptions(options); !good) return tl::unexpected(good.error());
  const Packing packing = MakePacking(buffers);
  Planner planner(packing, options);
  planner.Run();
  return planner.Result(buffers.size());
}

}  // namespace plimsoll
