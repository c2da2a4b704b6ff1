#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_PLANS_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_PLANS_H_

// The plans that one timeline keeps for steps of different shapes, and the choice among
// them. Not thread-safe: serialised by the timeline.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "allocators/planner_arena/arena_schedule.h"

namespace plimsoll {

struct KeptPlan {
  std::shared_ptr<Schedule> schedule;
  uint64_t id = 0;             // never used again
  uint64_t shape_key = 0;      // what the caller named the shape; 0: nothing
  bool covers_shapes = false;  // sizes are the largest of several shapes'
  bool lanes_apart = false;    // lanes share no bytes
  uint64_t made_in_step = 0;
  uint64_t last_used_in_step = 0;
  int64_t steps = 0;  // that it served
  // Of a thousand requests of the last step that seemed to fit it; 0 when the step fitted a
  // plan in the end.
  int64_t missed_permille = 0;
  int64_t missed_in_row = 0;  // such steps in a row that missed much
  uint64_t followed_by = 0;   // the plan of the step after its last one, 0: not known
};

class KeptPlans {
 public:
  explicit KeptPlans(size_t most) : most_(most) {}

  // Adds a plan, in the place of plan `replaces` if that is not 0. If there are too
  // many, the one used least recently is retired.
  KeptPlan& Add(KeptPlan plan, uint64_t replaces);

  // The plan for a step whose first request, in `lane`, is this. With a key: that
  // shape's plan. Else, among those that begin so: the one that followed `previous` the
  // last time, or the one with the most requests, but rather one whose last step fitted; if no
  // one's did, the one that missed least: so each that might fit gets its turn. If none begins
  // so, the same among those that have such a request anywhere. nullptr: none has.
  KeptPlan* Choose(uint64_t shape_key, uint32_t lane, uint32_t size, uint32_t alignment_log2,
                   uint64_t previous);

  // Another plan than `current` whose lane begins with the first `count` requests of
  // current's, and then with this one. nullptr: none.
  KeptPlan* ChooseByPrefix(const KeptPlan& current, uint32_t lane, uint32_t count, uint32_t size,
                           uint32_t alignment_log2);

  // The plan to lend its slots, in order, to a step of an unknown shape: one that covers
  // several shapes, else the tallest. nullptr: there are none.
  KeptPlan* Broadest();

  KeptPlan* Find(uint64_t id);
  const std::vector<std::unique_ptr<KeptPlan>>& all() const { return plans_; }

  // Ranges of live blocks of every plan but `except`, retired ones included.
  std::vector<Schedule::Range> LiveRanges(const Schedule* except) const;

  // No longer asks the schedules without live blocks, but `serving`, whose blocks are
  // still to come. REQUIRES: no other serves.
  void ForgetIdle(const Schedule& serving);

  // Live bytes by site, of every plan, retired ones included.
  std::unordered_map<uint32_t, uint64_t> LiveBytesBySite() const;

  // The schedule and slot whose live block begins at `offset`, retired ones included.
  struct Held {
    Schedule* schedule = nullptr;
    uint32_t slot = Schedule::kNone;
  };
  Held FindLive(uint32_t offset) const;

  // Says that blocks may have been served from the plan.
  void MarkUsed(KeptPlan& plan, uint64_t step);
  // The same, and that no other has live blocks.
  void MarkOnlyUsed(KeptPlan& plan, uint64_t step);

 private:
  void Retire(size_t index);

  const size_t most_;
  uint64_t next_id_ = 1;
  std::vector<std::unique_ptr<KeptPlan>> plans_;
  std::vector<std::shared_ptr<Schedule>> used_;  // of which blocks may be live
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_PLANS_H_
