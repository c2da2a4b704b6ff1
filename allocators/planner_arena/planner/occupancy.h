#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_OCCUPANCY_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_OCCUPANCY_H_

// Which offsets are taken during which sections, without a graph of who meets whom: a
// tree of sections whose nodes hold runs of taken offsets. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace plimsoll {

class Occupancy {
 public:
  using Run = std::pair<int64_t, int64_t>;  // offsets [begin, end)

  explicit Occupancy(int32_t sections);

  // Runs that cover every offset taken somewhere in the sections [first, last), sorted by
  // begin; they may overlap.
  const std::vector<Run>& Taken(int32_t first, int32_t last);

  // REQUIRES: no offset of the run is taken in these sections.
  void Take(int32_t first, int32_t last, Run run);

 private:
  // Disjoint runs that do not touch, sorted.
  using Runs = std::vector<Run>;
  struct Node {
    Runs throughout;  // taken in all of the node's sections by one item; not by ancestors
    Runs somewhere;   // taken in some of them
  };
  // What is taken in a few of a block's sections.
  struct Entry {
    int32_t first;
    int32_t last;
    Run run;
  };

  // Nodes stand for blocks [begin, end), a leaf for one.
  void Collect(size_t node, int32_t begin, int32_t end, int32_t first, int32_t last);
  void Insert(size_t node, int32_t begin, int32_t end, int32_t first, int32_t last, Run run);

  int32_t blocks_;
  std::vector<Node> nodes_;
  std::vector<std::vector<Entry>> entries_;  // by block
  std::vector<Run> found_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_OCCUPANCY_H_
