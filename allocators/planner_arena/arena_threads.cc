#include "allocators/planner_arena/arena_threads.h"

#include <mutex>
#include <unordered_set>
#include <vector>

#include "allocators/planner_arena/arena_timeline.h"

namespace plimsoll {
namespace internal {

__attribute__((tls_model("initial-exec"))) constinit thread_local ThreadMemory t_memory;

}  // namespace internal

namespace {

class Registry {
 public:
  static Registry& Get() {
    static Registry* const registry = new Registry;
    return *registry;
  }

  uint64_t Add() {
    const std::lock_guard<std::mutex> lock(mutex_);
    arenas_.insert(++last_);
    return last_;
  }

  void Remove(uint64_t arena) {
    const std::lock_guard<std::mutex> lock(mutex_);
    arenas_.erase(arena);
  }

  // Calls `visit` if the arena is still there, which it is until `visit` returns.
  template <typename Visit>
  bool With(uint64_t arena, Visit visit) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!arenas_.contains(arena)) return false;
    visit();
    return true;
  }

 private:
  std::mutex mutex_;
  uint64_t last_ = 0;
  std::unordered_set<uint64_t> arenas_;
};

// Other thread-local objects may free and allocate after this one is gone.
constinit thread_local bool t_ending = false;

class ThreadLanes {
 public:
  ~ThreadLanes() {
    t_ending = true;
    internal::t_memory = {};
    for (const Taken& taken : lanes_) {
      Registry::Get().With(taken.arena, [&] { taken.lane->timeline->ReleaseLane(taken.lane); });
    }
  }

  Lane* Of(uint64_t arena, Timeline& timeline) {
    for (const Taken& taken : lanes_) {
      if (taken.arena == arena && taken.lane->timeline == &timeline) return taken.lane;
    }
    std::erase_if(lanes_,
                  [](const Taken& taken) { return !Registry::Get().With(taken.arena, [] {}); });
    // A place first: a lane that is taken but not noted would never be given back.
    lanes_.reserve(lanes_.size() + 1);
    Lane* const lane = timeline.AcquireLane();
    lanes_.push_back({arena, lane});
    return lane;
  }

 private:
  struct Taken {
    uint64_t arena;
    Lane* lane;
  };
  std::vector<Taken> lanes_;
};

thread_local ThreadLanes t_lanes;

}  // namespace

uint64_t RegisterArena() { return Registry::Get().Add(); }

void UnregisterArena(uint64_t arena) { Registry::Get().Remove(arena); }

Lane* LaneOfThread(uint64_t arena, Timeline& timeline) {
  return t_ending ? nullptr : t_lanes.Of(arena, timeline);
}

}  // namespace plimsoll
