#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_RANGE_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_RANGE_H_

// The address range of one timeline: reserved once, committed from its bottom as far as
// plans reach, and given back page by page.
//
// Owns and base are thread-safe; the rest is serialised by the owner.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocators/planner_arena/arena_budget.h"
#include "allocators/planner_arena/arena_pages.h"
#include "allocators/planner_arena/configuration.h"

namespace plimsoll {

// The address space that a range reserves, in bytes: what is configured, or as much as
// the machine has memory; never more than offsets can name.
size_t ReservationOf(const ArenaConfiguration& configuration);

class ArenaRange {
 public:
  struct Bytes {
    size_t begin = 0;  // offsets from the base
    size_t end = 0;
  };

  ArenaRange(const ArenaConfiguration& configuration, ArenaPages& pages, ArenaBudget& budget);
  ~ArenaRange();
  ArenaRange(const ArenaRange&) = delete;
  ArenaRange& operator=(const ArenaRange&) = delete;

  bool Owns(const void* block) const {
    const uintptr_t base = base_.load(std::memory_order_acquire);
    return base != 0 && reinterpret_cast<uintptr_t>(block) - base < reserved_;
  }
  // 0 before the first Prepare.
  uintptr_t base() const { return base_.load(std::memory_order_relaxed); }

  // Reserves address space when it is the first; with kPreallocate, commits and
  // populates `height` bytes, or what is reserved if that is less. False: the system or
  // the budget refuses; nothing changed.
  bool Prepare(size_t height);

  // Commits at least `end` bytes from the base, and up to `useful` in doubling regions as
  // far as the system and the budget grant them. False: not even `end`.
  bool CommitTo(size_t end, size_t useful);

  // Sorts ranges and joins those that overlap.
  static void Normalize(std::vector<Bytes>& ranges);
  // Gives back what lies between the `live` ranges, which must be normalized. Bytes.
  size_t DiscardAllBut(const std::vector<Bytes>& live);
  // Gives back, and no longer holds, what lies above `end`. Bytes.
  size_t ShrinkTo(size_t end);

  size_t committed() const { return committed_; }
  bool hints_taken() const { return hints_taken_; }

 private:
  bool CommitExactly(size_t end);

  const ArenaConfiguration configuration_;
  ArenaPages& pages_;
  ArenaBudget& budget_;
  const size_t page_;
  std::atomic<uintptr_t> base_{0};
  size_t reserved_ = 0;  // written before base_ is
  size_t committed_ = 0;
  size_t populated_ = 0;  // from the base, with kPreallocate, since pages last went back
  bool hints_taken_ = true;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_RANGE_H_
