#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_DEADLINE_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_DEADLINE_H_

// When to give up. Immutable: thread-safe.

#include <chrono>
#include <optional>

namespace plimsoll {

class Deadline {
 public:
  Deadline() = default;  // never
  static Deadline After(double seconds) {
    Deadline deadline;
    // More than a year is for ever, and does not overflow the clock.
    if (seconds < 4e7) {
      deadline.at_ = std::chrono::steady_clock::now() +
                     std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                         std::chrono::duration<double>(seconds));
    }
    return deadline;
  }
  // Whether it will ever pass.
  bool IsSet() const { return at_.has_value(); }
  bool HasPassed() const { return at_ && std::chrono::steady_clock::now() >= *at_; }

 private:
  std::optional<std::chrono::steady_clock::time_point> at_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_DEADLINE_H_
