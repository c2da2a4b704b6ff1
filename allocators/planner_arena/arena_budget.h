#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_BUDGET_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_BUDGET_H_

// How many bytes an arena holds of the system, committed or from upstream, and how many
// it may. Thread-safe.

#include <atomic>
#include <cstdint>

namespace plimsoll {

class ArenaBudget {
 public:
  // 0: no limit.
  explicit ArenaBudget(uint64_t limit) : limit_(static_cast<int64_t>(limit)) {}

  // False, and nothing is taken, when it would exceed the limit.
  bool Take(int64_t bytes) {
    const int64_t now = held_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (limit_ != 0 && now > limit_) {
      Give(bytes);
      return false;
    }
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
  std::atomic<int64_t> held_{0};
  std::atomic<int64_t> peak_{0};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_BUDGET_H_
