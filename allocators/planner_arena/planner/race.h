#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_RACE_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_RACE_H_

// Several searches for one part and capacity, in turn: none is best on every problem, and
// the best is often a hundred times faster than the next. Used by one thread at a time.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/deadline.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/search.h"

namespace plimsoll {

class Race {
 public:
  // The part must outlive the race. REQUIRES: capacity < 2^60.
  Race(const Part& part, int64_t capacity);

  // Each search goes on for up to `nodes` placements, on up to `threads` threads. The
  // first that decides, in a fixed order, has the say: without a deadline the outcome is
  // the same every time and for one thread; with more threads the nodes may differ.
  // `tick`, unless empty, is called now and then from the calling thread.
  Search::Outcome Run(int64_t nodes, int threads, const Deadline& deadline,
                      const std::function<void()>& tick = nullptr);

  // By item. REQUIRES: Run returned kFits.
  std::vector<int64_t> Offsets() const { return searches_[winner_].Offsets(); }
  // The order of the search that decided.
  const char* method() const;
  // Of any thread.
  int64_t nodes() const { return nodes_; }

 private:
  std::vector<Search> searches_;
  size_t winner_ = 0;
  std::atomic<int64_t> nodes_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_RACE_H_
