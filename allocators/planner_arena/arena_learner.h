#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_LEARNER_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_LEARNER_H_

// When a timeline records its steps and what it has planned of them: at first, between
// DeepRec's START, STABLE and MAX; afterwards when steps no longer fit the plans. As long as
// they do not, one step in kLongestPause is recorded at least: a shape that repeats is planned
// after two recordings, within kMostStepsToLearn. Not thread-safe: serialised by the timeline.

#include <cstdint>
#include <optional>
#include <vector>

#include "allocators/planner_arena/arena_plans.h"
#include "allocators/planner_arena/configuration.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

// Steps between two recordings, at most, while steps do not fit.
inline constexpr uint64_t kLongestPause = 64;
// A recording begins, and one step later its profile is complete; twice.
inline constexpr uint64_t kMostStepsToLearn = 2 * (kLongestPause + 2);

// A profile that is worth a plan.
struct PlanOrder {
  StepProfile profile;
  uint64_t replaces = 0;  // identity of the plan that it supersedes, 0: none
  uint64_t shape_key = 0;
  bool covers_shapes = false;
  // Lanes shall share no bytes: their steps did not keep the order among threads in
  // which they were recorded.
  bool lanes_apart = false;
  // The last of the steps that `profile` was merged of; no lanes: that is one step's own.
  // Its lifetimes are those of its threads; merged ones are longer by what the threads
  // were ahead of each other.
  StepProfile latest = {};
};

// What became of a step, and what it was served from.
struct StepOutcome {
  uint64_t step = 0;
  uint64_t plan = 0;  // 0: none
  uint64_t shape_key = 0;
  bool unknown_shape = false;
  int64_t requests = 0;
  int64_t misses = 0;

  // More than one request in a hundred went upstream against the plan.
  bool Drifted() const { return misses * 100 > requests; }
  // More than one in eight: worth the bytes of a plan with lanes apart.
  bool MissedMuch() const { return misses * 8 > requests; }
};

class Learner {
 public:
  explicit Learner(const ArenaConfiguration& configuration);

  // Whether to record the step that begins. Steps count from 1.
  bool WantsStep(uint64_t step) const;
  // The same for a step that turns out to be of an unknown shape at its first request,
  // and that seems to be larger than what is planned.
  bool WantsUnknownShape(uint64_t step, bool larger) const;

  // Every step, when it ends.
  void Note(const StepOutcome& outcome);
  // Every recorded step, when its profile is complete; returns what is to be planned.
  std::vector<PlanOrder> Consider(StepProfile profile, const StepOutcome& outcome,
                                  KeptPlans& plans);

  // Nothing came of what was ordered, and there is no plan: collects anew.
  void Restart() noexcept;

  bool collecting() const { return collecting_; }
  int64_t recorded_steps() const { return recorded_steps_; }
  // Of the shape that was recorded last: steps in a row that brought nothing new.
  int64_t stable_steps() const { return stable_steps_; }

 private:
  struct Shape {
    StepProfile profile;
    StepProfile latest;  // see PlanOrder
    uint64_t key = 0;
    int64_t seen = 0;
    int64_t stable = 0;  // in a row
  };

  Shape& Remember(StepProfile profile, uint64_t key);
  std::vector<PlanOrder> EndCollecting();
  std::optional<PlanOrder> Adapt(const Shape& shape, const StepOutcome& outcome, KeptPlans& plans);

  const ArenaConfiguration configuration_;
  bool collecting_ = true;
  std::vector<Shape> shapes_;  // not planned yet; the one seen last stands last
  int64_t recorded_steps_ = 0;
  int64_t collected_steps_ = 0;  // of this collection
  int64_t stable_steps_ = 0;
  uint64_t drifted_in_step_ = 0;  // 0: never
  // Recordings that led to nothing make the next one wait.
  uint64_t next_recording_ = 0;
  uint64_t pause_ = 1;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_LEARNER_H_
