#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_JOINS_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_JOINS_H_

// A tiling taken apart where there are choices: items that together fill a rectangle are
// joined into one, and joins that leave others without a partner are broken again, until
// few are left. Deterministic. Not thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

#include "allocators/planner_arena/planner/deadline.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

// Whether no byte is spare at any time: the only packings for which joins are made.
bool IsTiling(const Part& part);

// Three joins make one of several: a stack of two that share a lifetime, a chain of two of
// one size that follow each other, and a pinwheel of four around a fifth. The bound stays;
// the optimum may rise, as with Merge. A random walk over sets of joins goes to fewer
// rectangles, or to as many, and seldom to more.
class Joins {
 public:
  // The part must outlive it. Time: about n log n.
  Joins(const Part& part, uint64_t seed);

  // Changes so many joins, or stops at one rectangle or the deadline; whether
  // there are fewer rectangles than before.
  bool Run(int64_t changes, const Deadline& deadline);

  // The rectangles, each one item or joined: lifetimes in sections of the part, sizes in its
  // units.
  std::vector<Buffer> Rectangles() const;
  size_t NumRectangles() const { return roots_.size(); }

  // By item of the part, from offsets by rectangle.
  std::vector<int64_t> Expand(const std::vector<int64_t>& offsets) const;

 private:
  enum class Kind : uint8_t { kItem, kStack, kChain, kPinwheel };
  struct Node {
    Item item;
    Kind kind = Kind::kItem;
    bool alive = true;
    bool reusable = false;  // is in unused_
    int32_t parent = -1;
    int32_t place = -1;  // in roots_, of a root
    // Bottom first, or earliest first; of a pinwheel: left, top, right, bottom, middle.
    std::array<int32_t, 5> children = {-1, -1, -1, -1, -1};
  };
  struct Step {
    int32_t node;
    bool joined;  // or broken
  };
  using List = std::vector<int32_t>;

  Node& At(int32_t node) { return nodes_[static_cast<size_t>(node)]; }
  const Node& At(int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  // What the node is found by: its lifetime, its size where it begins, and where it ends.
  static uint64_t LifetimeKey(int32_t first, int32_t last);
  static uint64_t BeginKey(int32_t first, int64_t size);
  static uint64_t EndKey(int32_t last, int64_t size);
  const List& Found(uint64_t key) const;

  int32_t RootOf(int32_t node) const;
  void AddRoot(int32_t node);
  void RemoveRoot(int32_t node);
  // Into the index, and out of it.
  void Appear(int32_t node);
  void Vanish(int32_t node);
  // The node instead of its children as a root, and the other way round.
  void Restore(int32_t node);
  void Remove(int32_t node);

  int32_t NewNode();
  int32_t JoinAll(Kind kind, const std::array<int32_t, 5>& children, const Item& item);
  // A stack or a chain of partners.
  int32_t Join(int32_t a, int32_t b);
  // Into pinwheel_, one by chance; whether there is any.
  bool FindPinwheel(int32_t middle, bool all);
  bool JoinPinwheel();
  void Break(int32_t node);
  void BreakAbove(int32_t node);
  void Undo();
  void Forget();

  // What `node` could be joined with: roots, and with `all` also what others have joined.
  void FindPartners(int32_t node, bool all);
  // Joins what can be joined without breaking anything; pinwheels only when there is nothing
  // else.
  void Settle();
  void SettlePinwheels();
  void Change();

  const size_t num_items_;
  const uint64_t keep_one_in_;
  std::mt19937_64 random_;
  std::vector<Node> nodes_;
  List roots_;
  List unused_;
  std::unordered_map<uint64_t, List> index_;
  std::vector<List> ending_;  // nodes by the section where they end
  std::vector<Step> steps_;   // since the last change that was kept
  List unsettled_;
  List partners_;
  std::array<int32_t, 5> pinwheel_ = {};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_JOINS_H_
