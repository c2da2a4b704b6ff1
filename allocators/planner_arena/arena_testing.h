#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_TESTING_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_TESTING_H_

// What the arena's tests share: an upstream and pages that count and refuse, controls that
// learn in a few steps, and steps to run. Not thread-safe, but for CountingUpstream.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_pages.h"

namespace plimsoll::arena_testing {

// Hands out real memory, counts what is still held of it, and fails when told to.
class CountingUpstream : public std::pmr::memory_resource {
 public:
  std::atomic<int64_t> allocs{0};
  std::atomic<int64_t> blocks{0};
  std::atomic<int64_t> bytes{0};
  // Requests that would hold more than this fail.
  std::atomic<int64_t> most_bytes{std::numeric_limits<int64_t>::max()};

 protected:
  void* do_allocate(size_t size, size_t alignment) override {
    ++allocs;
    if (static_cast<int64_t>(size) > most_bytes - bytes) throw std::bad_alloc();
    void* const block = std::pmr::new_delete_resource()->allocate(size, alignment);
    ++blocks;
    bytes += static_cast<int64_t>(size);
    return block;
  }
  void do_deallocate(void* block, size_t size, size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(block, size, alignment);
    --blocks;
    bytes -= static_cast<int64_t>(size);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// The system's pages, with every call taken down, and refusals.
class FakePages : public ArenaPages {
 public:
  size_t most_committed = std::numeric_limits<size_t>::max();
  bool refuse_reserve = false;
  bool refuse_populate = false;
  bool refuse_hints = false;

  size_t committed = 0;         // bytes
  std::vector<size_t> commits;  // bytes of each that was granted
  std::vector<size_t> refused;  // bytes of each that was not
  size_t populated = 0;         // bytes, in all
  size_t discarded = 0;         // bytes, in all
  int reservations = 0;         // that are held
  size_t reserved = 0;          // bytes, of the last
  int huge_hints = 0;
  int interleave_hints = 0;

  void* Reserve(size_t bytes) override {
    if (refuse_reserve) return nullptr;
    ++reservations;
    reserved = bytes;
    return System().Reserve(bytes);
  }
  bool Commit(void* begin, size_t bytes) override {
    if (bytes > most_committed - committed) {
      refused.push_back(bytes);
      return false;
    }
    committed += bytes;
    commits.push_back(bytes);
    return System().Commit(begin, bytes);
  }
  bool Populate(void* begin, size_t bytes) override {
    if (refuse_populate) return false;
    populated += bytes;
    return System().Populate(begin, bytes);
  }
  void Discard(void* begin, size_t bytes) override {
    discarded += bytes;
    System().Discard(begin, bytes);
  }
  void Uncommit(void* begin, size_t bytes) override {
    committed -= bytes;
    System().Uncommit(begin, bytes);
  }
  void Release(void* begin, size_t bytes) override {
    --reservations;
    System().Release(begin, bytes);
  }
  bool AdviseHuge(void*, size_t) override {
    ++huge_hints;
    return !refuse_hints;
  }
  bool Interleave(void*, size_t) override {
    ++interleave_hints;
    return !refuse_hints;
  }
};

// One step passes, one is recorded, two more bring nothing new, and one shows what the
// last of them left behind: from the sixth on steps are served.
inline constexpr int kStepsToPlan = 5;
inline ArenaConfiguration Quick() {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 1;
  configuration.stable_statistic_step = 2;
  configuration.reserve_bytes = uint64_t{1} << 32;
  configuration.plan_in_background = false;
  return configuration;
}

inline std::unique_ptr<PlannerArena> MakeArena(std::pmr::memory_resource* upstream,
                                               const ArenaConfiguration& configuration = Quick(),
                                               ArenaPages* pages = nullptr) {
  PlannerArena::Parts parts;
  parts.upstream = upstream;
  parts.pages = pages;
  return PlannerArena::Create(configuration, parts).value();
}

inline bool AllBytesAre(const unsigned char* block, size_t bytes, unsigned char value) {
  return block[0] == value && std::memcmp(block, block + 1, bytes - 1) == 0;
}

// Allocates each size, writes all of it, verifies all of it, and frees it.
inline bool Work(PlannerArena& arena, const std::vector<size_t>& sizes) {
  std::vector<unsigned char*> blocks;
  for (size_t size : sizes) {
    blocks.push_back(static_cast<unsigned char*>(arena.Allocate(size)));
    std::memset(blocks.back(), static_cast<int>(blocks.size()), size);
  }
  bool intact = true;
  for (size_t i = 0; i < sizes.size(); ++i) {
    intact = AllBytesAre(blocks[i], sizes[i], static_cast<unsigned char>(i + 1)) && intact;
    arena.Free(blocks[i]);
  }
  return intact;
}

inline bool Step(PlannerArena& arena, const std::vector<size_t>& sizes,
                 const StepOptions& options = {}) {
  const StepScope step(arena, options);
  return Work(arena, sizes);
}

inline bool Steps(PlannerArena& arena, int count, const std::vector<size_t>& sizes,
                  const StepOptions& options = {}) {
  bool intact = true;
  for (int i = 0; i < count; ++i) intact = Step(arena, sizes, options) && intact;
  return intact;
}

// What happens between two looks at the stats.
class Since {
 public:
  explicit Since(const PlannerArena& arena) : arena_(arena), before_(arena.Stats()) {}
  int64_t hits() const { return arena_.Stats().hits - before_.hits; }
  int64_t misses() const { return arena_.Stats().misses - before_.misses; }
  int64_t unplanned() const { return arena_.Stats().unplanned - before_.unplanned; }
  int64_t outside() const { return arena_.Stats().outside - before_.outside; }
  int64_t planned_steps() const { return arena_.Stats().planned_steps - before_.planned_steps; }
  int64_t recorded_steps() const { return arena_.Stats().recorded_steps - before_.recorded_steps; }

 private:
  const PlannerArena& arena_;
  const ArenaStats before_;
};

}  // namespace plimsoll::arena_testing

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_TESTING_H_
