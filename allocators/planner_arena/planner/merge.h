#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_MERGE_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_MERGE_H_

// A smaller problem whose plans are plans of the larger: items of one lifetime are stacked
// into one, and items of one size that follow each other are chained into one. No live
// total changes, so the lower bound stays; the optimum may rise. Where no byte is to spare
// and one item ends as one begins, the second must lie where the first lay: chaining then
// loses nothing, and takes edge-to-edge tilings apart completely. Pure functions:
// thread-safe.

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

class Merge {
 public:
  enum class Chains {
    kAlone,  // where one item ends and one begins: nothing is lost where nothing is spare
    kAny,    // and then where one ends and one begins of some size
  };

  // Time: n log n for each layer of merges.
  Merge(const Part& part, Chains chains);

  // What is left to place: lifetimes in sections of the part, sizes in its units.
  const std::vector<Buffer>& buffers() const { return buffers_; }

  // By item of the part, from offsets by buffer.
  std::vector<int64_t> Expand(const std::vector<int64_t>& offsets) const;

 private:
  // An item (both -1), a stack (second on top of first) or a chain.
  struct Node {
    int32_t first_child = -1;
    int32_t second_child = -1;
    bool stacked = false;
    Item item;
  };

  enum class Where { kAlone, kAloneOfSize };

  bool StackAll();
  bool ChainAll(Where where);
  int32_t Join(int32_t a, int32_t b, bool stacked);

  size_t num_items_;
  std::vector<Node> nodes_;
  std::vector<int32_t> roots_;
  std::vector<Buffer> buffers_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_MERGE_H_
