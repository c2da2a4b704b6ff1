#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_PAGES_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_PAGES_H_

// The one seam through which the arena reserves address space and commits pages, so
// that tests can refuse it memory. The system's implementation is thread-safe.

#include <cstddef>

namespace plimsoll {

class ArenaPages {
 public:
  virtual ~ArenaPages() = default;

  // Address space without access, aligned to 2 MiB; nullptr when there is none.
  virtual void* Reserve(size_t bytes) = 0;
  // Makes pages readable and writable. False: the system refuses.
  virtual bool Commit(void* begin, size_t bytes) = 0;
  // Makes committed pages resident. False: the system refuses.
  virtual bool Populate(void* begin, size_t bytes) = 0;
  // Gives the pages back, with their contents; they stay committed and read as zeros.
  virtual void Discard(void* begin, size_t bytes) = 0;
  // The reverse of Commit.
  virtual void Uncommit(void* begin, size_t bytes) = 0;
  // Ends a reservation. REQUIRES: exactly what Reserve returned.
  virtual void Release(void* begin, size_t bytes) = 0;
  // Hints for a reservation. False: the system does not take them.
  virtual bool AdviseHuge(void* begin, size_t bytes) = 0;
  virtual bool Interleave(void* begin, size_t bytes) = 0;

  static ArenaPages& System();
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_PAGES_H_
