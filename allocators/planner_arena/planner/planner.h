#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_PLANNER_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_PLANNER_H_

// The offline planner: offsets for buffers of known lifetimes, and what is proven of
// them. Cheap plans first, then smaller equal problems, then exact search, until the plan
// is as low as asked for or the effort is spent. Pure functions: thread-safe.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

struct PlanProgress {
  int64_t height = 0;       // bytes: of the best plan so far
  int64_t lower_bound = 0;  // bytes: no plan is lower
  int64_t nodes = 0;        // placements tried by exact search
};

struct PlanOptions {
  // Bytes, > 0: any plan no higher than this is good enough, unless `minimize`. Without
  // it the lowest plan is wanted.
  std::optional<int64_t> capacity = std::nullopt;
  bool minimize = false;
  // Seconds; the best plan so far is returned soon after. At least one greedy plan is
  // always made. With a limit, what is found depends on the machine, and unless the plan is
  // proven to be the lowest, or fits, all of the time is used: when the effort is spent,
  // search and chance go on in turn.
  std::optional<double> time_limit = std::nullopt;
  int threads = 1;  // for exact search
  // What exact search may spend, in placements x sections of all buffers; the default is
  // some seconds, and the same result on every machine. 0: no search, even with a limit.
  int64_t effort = 2'000'000'000;
  // Called from the calling thread for each better plan, and else some times a second. May
  // be empty.
  std::function<void(const PlanProgress&)> progress = nullptr;
};

enum class Fits { kYes, kNo, kUndecided };

struct PlanResult {
  Plan plan;  // its lower bound is the one that was proven
  // Whether buffers fit below the capacity: kNo is proven. Without a capacity: kYes.
  Fits fits = Fits::kYes;
  std::string method;  // what made the highest part of the plan: "by size, best fit"
  int64_t nodes = 0;   // placements tried by exact search

  bool optimal() const { return plan.height == plan.lower_bound; }
  // (height - lower bound) / lower bound, 0 if both are 0.
  double Gap() const;
};

// The plan is never higher than GreedyBySize's, for a million buffers after half a minute or
// so. With a time limit, that order is given up when it looked at 40 million taken ranges in
// one part (reached with some 200,000 buffers), so that others get some of the time. The error
// is that of CheckBuffers, or names an option that is out of range.
Expected<PlanResult> MakePlan(const std::vector<Buffer>& buffers, const PlanOptions& options = {});

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_PLANNER_H_
