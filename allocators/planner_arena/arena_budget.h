#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_BUDGET_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_BUDGET_H_

// How many bytes an arena holds of the system, committed or from upstream, and how many
// it may. Thread-safe.

#include <atomic>
#include <cstdint>
#include <limits>

namespace plimsoll {

class ArenaBudget {
 public:
  // 0: no limit.
  explicit ArenaBudget(uint64_t limit) : limit_(static_cast<int64_t>(limit)) {}

  // False, and nothing is taken, when it would exceed the limit.
  bool Take(int64_t bytes) {
    int64_t held = held_.load(std::memory_order_relaxed);
    int64_t now = 0;
    do {
      // Never held for a moment and given back: others would fail for it.
      if (bytes > most_ || held > most_ - bytes) return false;
      now = held + bytes;
    } while (!held_.compare_exchange_weak(held, now, std::memory_order_relaxed));
    int64_t peak = peak_.load(std::memory_order_relaxed);
    while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
    return true;
  }
  void Give(int64_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  int64_t limit() const { return limit_; }
  int64_t held() const { return held_.load(std::memory_order_relaxed); }
  int64_t peak() const { return peak_.load(std::memory_order_relaxed); }

 private:
  const int64_t limit_;
  const int64_t most_ = limit_ != 0 ? limit_ : std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> held_{0};
  std::atomic<int64_t> peak_{0};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_BUDGET_H_
