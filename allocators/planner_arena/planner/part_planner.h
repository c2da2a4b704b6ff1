#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PART_PLANNER_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PART_PLANNER_H_

// Plans one part of a packing: greedy orders, the merged problem, exact search up a ladder
// of capacities; always with the best plan so far at hand. Not thread-safe.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/deadline.h"
#include "allocators/planner_arena/planner/merge.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/part_greedy.h"
#include "allocators/planner_arena/planner/race.h"
#include "allocators/planner_arena/planner/sums.h"

namespace plimsoll {

class PartPlanner {
 public:
  struct Options {
    int64_t goal = 0;     // units: a plan this low is good enough
    bool ladder = false;  // try capacities above the goal, too: as low as possible
    Deadline deadline;
    int threads = 1;
    int64_t effort = 0;  // placements x sections of all items
    // May be empty. Called for every better plan, and often in between.
    std::function<void(bool better)> on_progress;
  };

  // The part must outlive the planner.
  PartPlanner(const Part& part, Options options);

  // For large tilings: what takes a tenth of the time of greedy orders, and is better.
  void PlanAtOnce();
  // One plan whatever the deadline, then the greedy orders that the size allows.
  void PlanGreedily();
  // Joined items, if no byte is spare at any time: by chance, for a part of the effort.
  void PlanTiled();
  // Merged items, by all that this class does but merging.
  void PlanMerged();
  // Exact search, if the part is small enough for it, until the effort is spent. Goes on
  // where it stopped.
  void PlanExactly();
  // Effort to go on with, and what is left of it.
  void GiveEffort(int64_t effort) { options_.effort = effort; }
  int64_t effort() const { return std::max<int64_t>(0, options_.effort); }
  // Another greedy plan, perturbed, each time; whether there was one before the deadline.
  bool PlanAgain();

  // As low as the goal; or as low as can be, or proven to be no use.
  bool Done() const {
    if (best_.height <= options_.goal) return true;
    return options_.ladder ? best_.height <= proven_ : proven_ > options_.goal;
  }

  // Another goal, at least the old one.
  void RaiseGoal(int64_t goal) { options_.goal = goal; }

  // Of no items and endless height before there is one.
  const PartPlan& best() const { return best_; }
  int64_t proven() const { return proven_; }  // units: no plan is lower
  const std::string& method() const { return method_; }
  int64_t nodes() const;

 private:
  void Tick() const {
    if (options_.on_progress) options_.on_progress(false);
  }
  void Offer(std::optional<PartPlan> plan, const std::string& method);
  // `buffers`, planned by all that this class does but merging, are made to plans of the
  // part by `expand`.
  void PlanLess(const std::vector<Buffer>& buffers, int64_t effort, const std::string& prefix,
                const std::function<std::vector<int64_t>(const std::vector<int64_t>&)>& expand);
  void PlanMerged(const Merge& merge);
  void WalkOnce();
  void PlanPortfolio();
  std::vector<int64_t> Capacities();
  const Sums& SumsOfPart();
  // One capacity for a while; whether that changed what is known.
  bool Try(int64_t capacity, int64_t nodes);

  const Part& part_;
  Options options_;
  PartPlan best_ = {{}, INT64_MAX};
  int64_t proven_;
  std::optional<Sums> sums_;  // once a search was under way
  int64_t weight_ = 0;        // sections of all items
  std::string method_;
  uint64_t next_seed_ = 1;               // of valleys
  bool walks_ = false;                   // where there are joins to choose among
  uint64_t next_walk_ = 1;               // their seed
  const PartPlanner* merged_ = nullptr;  // of a smaller problem, at work
  int64_t merged_nodes_ = 0;
  int64_t old_nodes_ = 0;  // of races that are over
  // Of the round of searches that is under way.
  int64_t round_nodes_ = 0;                         // for each capacity; 0: none was
  size_t turn_ = 0;                                 // of the capacities
  std::map<int64_t, std::unique_ptr<Race>> races_;  // by capacity
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PART_PLANNER_H_
