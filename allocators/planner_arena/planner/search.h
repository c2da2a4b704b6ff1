#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_SEARCH_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_SEARCH_H_

// Exact search for offsets below a capacity: depth first with an undo log, to be paused
// and resumed. Not thread-safe: one thread at a time for each search.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/packing.h"

namespace plimsoll {

// Buffers are placed at the least offset that those placed before leave them. One of the
// remaining buffers lies lowest; each that may be it is tried, lowest first and in a given
// order among equals. Where a section has no byte to spare, what lies at its floor is
// tried instead. A buffer that was refuted where it would lie is marked: it has to be
// lifted by a neighbour first, so orders that differ only in what is independent are not
// tried twice, and the floor of its sections rises. What was refuted is remembered as a hash
// of 128 bits, at the place that its low bits tell: with the largest table a look-up is wrong
// once in 2^106, so a proof that took 10^9 of them with a chance of 10^-23.
class Search {
 public:
  enum class Outcome { kFits, kDoesNotFit, kUndecided };

  // `order`: a permutation of the part's items. `any_tight_section`: where a section has
  // no byte to spare, always go on there; else only if a single item can lie at its floor.
  // The first finds tilings, the second packings with some air. REQUIRES: capacity < 2^60.
  Search(const Part& part, std::vector<int32_t> order, int64_t capacity, bool any_tight_section);

  // Goes on for `nodes` more placements at most, or until the question is decided.
  Outcome Run(int64_t nodes);

  // By item of the part. REQUIRES: Run returned kFits.
  std::vector<int64_t> Offsets() const;

  int64_t nodes() const { return nodes_; }

 private:
  // What is left to place in a range of sections that nothing else reaches into.
  struct Component {
    size_t begin = 0;  // in pool_: its items
    size_t count = 0;
    int32_t first = 0;  // sections
    int32_t last = 0;
    int64_t level = 0;    // every item lies at this offset or above
    int32_t next = -1;    // in waiting_: to be solved after this one; -1: nothing
    int32_t parent = -1;  // the frame whose candidate fails if this cannot be solved
  };
  struct Hash {
    uint64_t low = 0;  // 0: of nothing
    uint64_t high = 0;
    bool operator==(const Hash&) const = default;
  };
  struct Frame {
    Component component;
    size_t candidates = 0;  // in pool_
    size_t num_candidates = 0;
    size_t tried = 0;
    bool lowest = true;  // the candidates are for the lowest of all, not for one section
    size_t undo = 0;     // size of undo_ before the current candidate was placed
    size_t waiting = 0;  // size of waiting_
    Hash hash;
  };
  enum class Change : uint8_t { kPlaced, kMarked, kRaised };
  struct Undo {
    int32_t item;
    Change change;
    bool was_marked;
    int64_t offset;
  };

  static constexpr int64_t kNever = INT64_MAX / 4;

  static constexpr int32_t kNobody = -2;  // no frame fails

  void FindNeighbours();
  void FindTwins();
  // The frame that fails because of this, or kNobody.
  int32_t Descend(int32_t parent, const Component& left);
  int32_t Open(const Component& component);
  int32_t Finish(const Component& component);
  void Fail(int32_t frame);
  // False if the component cannot be solved below the capacity.
  bool FindBounds(const Component& component);
  void ChooseCandidates(Frame& frame);
  bool ChooseTightSection(Frame& frame);
  bool MayLieAboveOthers(int32_t item, int64_t level) const;
  bool Place(int32_t item);
  void Mark(int32_t item);
  void Rewind(size_t size);
  Hash HashOf(const Component& component) const;
  bool IsRefuted(const Hash& hash) const;
  void Refute(const Hash& hash);

  int64_t AlignUp(int64_t offset, int32_t item) const {
    const int64_t a = alignment_[item];
    return a == 1 ? offset : (offset + a - 1) / a * a;
  }

  const std::vector<int32_t> order_;
  const int64_t capacity_;
  const bool any_tight_section_;
  int64_t nodes_ = 0;
  Outcome outcome_ = Outcome::kUndecided;

  // By position in the order.
  std::vector<int32_t> first_, last_;
  std::vector<int64_t> size_, alignment_;
  std::vector<int32_t> twin_before_, twin_after_;  // equal items, or -1
  std::vector<size_t> neighbours_begin_;
  std::vector<int32_t> neighbours_;  // by size, smallest first
  std::vector<uint8_t> placed_, marked_;
  std::vector<int64_t> offset_;  // least possible, or final once placed
  std::vector<int64_t> bound_;   // scratch: no less than this in any plan that is left

  // By section.
  std::vector<int64_t> total_;                     // units not placed yet
  std::vector<int64_t> floor_, least_top_, head_;  // scratch
  std::vector<size_t> live_begin_;
  std::vector<int32_t> live_;      // items by section
  std::vector<int32_t> crossing_;  // items left that live in this section and the one before

  std::vector<Frame> frames_;
  std::vector<Component> waiting_;
  std::vector<int32_t> pool_;
  std::vector<Undo> undo_;
  std::vector<Hash> refuted_;  // of what was refuted, at their low bits
  size_t num_refuted_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_SEARCH_H_
