#include "allocators/planner_arena/planner/part_planner.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "allocators/planner_arena/planner/joins.h"
#include "allocators/planner_arena/planner/merge.h"
#include "allocators/planner_arena/planner/orders.h"
#include "allocators/planner_arena/planner/part_valleys.h"

namespace plimsoll {
namespace {

// Beyond these, one more greedy plan costs more than it promises, and exact search is lost.
constexpr size_t kMostForMerge = 200'000;
constexpr size_t kMostForBothMerges = 20'000;
constexpr size_t kMostForLowest = 20'000;
constexpr size_t kMostForSearch = 5'000;

// Of taken ranges that one greedy plan may look at: about a second. Reached with some
// 200,000 buffers; what is never worse than greedy by size takes as long as that does.
constexpr int64_t kMostRuns = 40'000'000;

constexpr int64_t kFirstNodes = 500;

// Walks over joins: a change takes as long as so much effort of a search. More short walks
// find more than one long one.
constexpr int64_t kEffortOfChange = 500;
constexpr int64_t kChangesOfItem = 30;
constexpr int64_t kMostEffortOfItem = 2'000'000;  // in all walks before exact search
constexpr uint64_t kValleysOfWalk = 20;
constexpr uint64_t kWalksOfLength = 8;
constexpr uint64_t kMostDoublings = 10;

}  // namespace

PartPlanner::PartPlanner(const Part& part, Options options)
    : part_(part), options_(std::move(options)), proven_(part.lower_bound) {
  for (const Item& item : part.items) weight_ += item.last - item.first;
}

int64_t PartPlanner::nodes() const {
  int64_t nodes = merged_nodes_ + old_nodes_ + (merged_ != nullptr ? merged_->nodes() : 0);
  for (const auto& [capacity, race] : races_) nodes += race->nodes();
  return nodes;
}

void PartPlanner::Offer(std::optional<PartPlan> plan, const std::string& method) {
  if (!plan || plan->height >= best_.height) return;
  best_ = *std::move(plan);
  method_ = method;
  if (options_.on_progress) options_.on_progress(true);
}

void PartPlanner::PlanGreedily() {
  if (best_.height <= part_.lower_bound) return;
  const std::vector<int32_t> by_total = OrderBy(part_, "TWA");
  // Whatever the deadline, if there is no plan yet.
  const bool any = !best_.offsets.empty();
  Offer(FillGaps(part_, by_total, Fit::kFirst, best_.height, any ? kMostRuns : INT64_MAX,
                 any ? options_.deadline : Deadline()),
        "TWA, first fit");
  if (best_.height <= part_.lower_bound) return;
  const std::vector<int32_t> by_size = OrderBy(part_, "ZW");
  const int64_t most_runs = options_.deadline.IsSet() ? kMostRuns : INT64_MAX;
  Offer(FillGaps(part_, by_size, Fit::kBest, best_.height, most_runs, options_.deadline),
        "by size, best fit");
  if (Done() || part_.items.size() > kMostForLowest) return;
  Offer(LowestFirst(part_, by_total, best_.height, options_.deadline), "TWA, lowest first");
  if (Done()) return;
  Offer(FillValleys(part_, 0, best_.height, options_.deadline), "valleys");
}

bool PartPlanner::PlanAgain() {
  if (options_.deadline.HasPassed()) return false;
  const uint64_t seed = next_seed_++;
  if (walks_ && seed % kValleysOfWalk == 0) WalkOnce();
  Offer(FillValleys(part_, seed, best_.height, options_.deadline),
        "valleys, seed " + std::to_string(seed));
  Tick();
  return true;
}

void PartPlanner::PlanMerged() {
  if (part_.items.size() > kMostForMerge || options_.deadline.HasPassed()) return;
  PlanMerged(Merge(part_, Merge::Chains::kAny));
  if (!Done() && part_.items.size() <= kMostForBothMerges) {
    PlanMerged(Merge(part_, Merge::Chains::kAlone));
  }
}

void PartPlanner::PlanMerged(const Merge& merge) {
  if (merge.buffers().size() == part_.items.size() || options_.deadline.HasPassed()) return;
  PlanLess(merge.buffers(), options_.effort / 8, "merged, ",
           [&](const std::vector<int64_t>& offsets) { return merge.Expand(offsets); });
}

void PartPlanner::PlanAtOnce() {
  if (part_.items.size() <= kMostForLowest || part_.items.size() > kMostForMerge) return;
  if (!IsTiling(part_)) return;
  Offer(FillValleys(part_, 0, best_.height, Deadline()), "valleys");
  const Merge alone(part_, Merge::Chains::kAlone);
  if (alone.buffers().size() == 1) PlanMerged(alone);
}

void PartPlanner::PlanTiled() {
  if (part_.items.size() > kMostForMerge || !IsTiling(part_)) return;
  walks_ = true;
  // The rest is for exact search, which proves what chance does not find.
  const int64_t spend = std::min(options_.effort / 2, kMostEffortOfItem * std::ssize(part_.items));
  for (const int64_t rest = options_.effort - spend; !Done() && options_.effort > rest;) {
    if (options_.deadline.HasPassed()) return;
    WalkOnce();
  }
}

void PartPlanner::WalkOnce() {
  const uint64_t seed = next_walk_++;
  int64_t changes = kChangesOfItem * std::ssize(part_.items);
  changes <<= std::min(seed / kWalksOfLength, kMostDoublings);
  Joins joins(part_, seed);
  constexpr int64_t kChunk = 10'000;
  for (int64_t left = changes; left > 0; left -= kChunk) {
    joins.Run(std::min(left, kChunk), options_.deadline);
    Tick();
  }
  const int64_t effort = changes * kEffortOfChange;
  options_.effort -= 2 * effort;
  PlanLess(joins.Rectangles(), effort, "joined, ",
           [&](const std::vector<int64_t>& offsets) { return joins.Expand(offsets); });
}

void PartPlanner::PlanLess(
    const std::vector<Buffer>& buffers, int64_t effort, const std::string& prefix,
    const std::function<std::vector<int64_t>(const std::vector<int64_t>&)>& expand) {
  const Packing packing = MakePacking(buffers);
  std::vector<int64_t> offsets(buffers.size(), 0);
  Options options = options_;
  options.goal /= packing.unit;
  options.effort = effort;
  // Its plans are none of this part yet.
  if (options_.on_progress) options.on_progress = [this](bool) { Tick(); };
  PartPlan whole;
  std::string method;
  for (const Part& part : packing.parts) {
    PartPlanner planner(part, options);
    merged_ = &planner;
    planner.PlanGreedily();
    if (!planner.Done()) planner.PlanExactly();
    merged_ = nullptr;
    merged_nodes_ += planner.nodes();
    const int64_t height = planner.best().height * packing.unit;
    if (height > whole.height) method = prefix + planner.method();
    whole.height = std::max(whole.height, height);
    if (whole.height >= best_.height) return;
    for (size_t i = 0; i < part.ids.size(); ++i) {
      offsets[static_cast<size_t>(part.ids[i])] = planner.best().offsets[i] * packing.unit;
    }
  }
  whole.offsets = expand(offsets);
  whole.height = PartHeight(part_, whole.offsets);
  Offer(std::move(whole), method);
}

bool PartPlanner::Try(int64_t capacity, int64_t nodes) {
  std::unique_ptr<Race>& race = races_[capacity];
  if (race == nullptr) race = std::make_unique<Race>(part_, capacity);
  const int64_t before = race->nodes();
  const Search::Outcome outcome =
      race->Run(nodes, options_.threads, options_.deadline, [this] { Tick(); });
  options_.effort -= (race->nodes() - before) * weight_;
  if (outcome == Search::Outcome::kUndecided) return false;
  if (outcome == Search::Outcome::kDoesNotFit) {
    proven_ = std::max(proven_, SumsOfPart().AtLeast(capacity + 1));
  } else {
    PartPlan plan{race->Offsets(), 0};
    plan.height = PartHeight(part_, plan.offsets);
    Offer(std::move(plan), race->method());
  }
  // What was decided decides all capacities on one side.
  std::erase_if(races_, [&](const auto& entry) {
    if (entry.first >= proven_ && entry.first < best_.height) return false;
    old_nodes_ += entry.second->nodes();
    return true;
  });
  return true;
}

const Sums& PartPlanner::SumsOfPart() {
  if (!sums_) sums_.emplace(part_, best_.height);
  return *sums_;
}

void PartPlanner::PlanPortfolio() {
  // A few thousand placements first: they often do, and cost as much as greedy plans.
  Try(SumsOfPart().AtMost(std::max(options_.goal, proven_)), kFirstNodes);
  for (const char* keys : {"TA", "W", "TN", "A", "ZW", "TZ"}) {
    if (Done()) return;
    const std::vector<int32_t> order = OrderBy(part_, keys);
    const std::string name = keys;
    Offer(LowestFirst(part_, order, best_.height, options_.deadline), name + ", lowest first");
    for (const Fit fit : {Fit::kFirst, Fit::kBest}) {
      Offer(FillGaps(part_, order, fit, best_.height, kMostRuns, options_.deadline),
            name + (fit == Fit::kFirst ? ", first fit" : ", best fit"));
    }
    Tick();
  }
}

// The goal, what is proven possible or not, and a few steps between: the closer a capacity
// is to the bound, the sooner a search knows that it is lost. Each as the
// greatest sum that it allows, which asks the same with less to spare.
std::vector<int64_t> PartPlanner::Capacities() {
  const int64_t low = std::max(options_.goal, proven_);
  const int64_t high = best_.height - 1;
  std::vector<int64_t> capacities = {low, proven_};
  if (options_.ladder) {
    for (const int64_t divisor : {16, 8, 4, 2, 1}) {
      capacities.push_back(low + (high - low) / divisor);
    }
  }
  for (int64_t& capacity : capacities) capacity = SumsOfPart().AtMost(capacity);
  std::erase_if(capacities, [&](int64_t c) { return c >= best_.height; });
  std::sort(capacities.begin(), capacities.end());
  capacities.erase(std::unique(capacities.begin(), capacities.end()), capacities.end());
  return capacities;
}

void PartPlanner::PlanExactly() {
  if (part_.items.size() > kMostForSearch || options_.effort <= 0 || Done()) return;
  if (round_nodes_ == 0) {
    PlanPortfolio();
    round_nodes_ = kFirstNodes;
  }
  for (; !Done(); round_nodes_ *= 4, turn_ = 0) {
    for (std::vector<int64_t> capacities = Capacities(); turn_ < capacities.size() && !Done();) {
      if (options_.deadline.HasPassed() || options_.effort <= 0) return;
      const int64_t affordable = options_.effort / weight_ + 1;
      const bool changed =
          Try(capacities[turn_], std::min(round_nodes_, std::max(kFirstNodes, affordable)));
      turn_ = changed ? 0 : turn_ + 1;
      if (changed) capacities = Capacities();
      // Searches take memory, and a better plan leads to other capacities.
      std::erase_if(races_, [&](const auto& entry) {
        if (std::binary_search(capacities.begin(), capacities.end(), entry.first)) return false;
        old_nodes_ += entry.second->nodes();
        return true;
      });
    }
    // Chance, for about as much work as one capacity takes: what search is lost in may have
    // many plans that are good, though not the best.
    if (round_nodes_ == kFirstNodes) continue;
    for (int64_t n = round_nodes_ / std::ssize(part_.items); n >= 0 && !Done(); --n) {
      if (!PlanAgain()) return;
    }
  }
}

}  // namespace plimsoll
