#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_SUMS_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_SUMS_H_

// Which heights a part's plans may have at all, as a set of bits. Immutable: thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/packing.h"

namespace plimsoll {

// Push every item of a plan down until it lies on the ground or on another: the plan is no
// higher than it was, and its height is the sum of some items' sizes, those that lie on one
// another below the highest top. So capacities between two sums ask the same question, and
// what does not fit below one sum needs the next one.
class Sums {
 public:
  // Sums up to `most` units are known: none beyond 2^17, or if alignments pad what lies
  // below, when every number may be one. Time: distinct sizes x most / 64.
  Sums(const Part& part, int64_t most);

  // The greatest sum that is at most `units`, which is >= 0.
  int64_t AtMost(int64_t units) const;
  // The least sum that is at least `units`, as far as it is known: or `units`, or the first
  // number that is not known.
  int64_t AtLeast(int64_t units) const;

 private:
  void Add(int64_t size);
  bool Has(int64_t units) const {
    return (bits_[static_cast<size_t>(units / 64)] >> (units % 64) & 1) != 0;
  }

  int64_t known_ = 0;  // numbers below it are sums or not as bits_ say
  std::vector<uint64_t> bits_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_SUMS_H_
