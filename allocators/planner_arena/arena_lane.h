#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_LANE_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_LANE_H_

// A thread's place in a timeline's steps: how far it has come, and what its calls add
// up to. Written by the thread that holds the lane; counters may be read by any thread.

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "allocators/planner_arena/arena_schedule.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

class Timeline;

// A counter that one thread writes and any thread reads.
class LaneCounter {
 public:
  void Add(int64_t n) { value_.store(Get() + n, std::memory_order_relaxed); }
  void RaiseTo(int64_t n) {
    if (n > Get()) value_.store(n, std::memory_order_relaxed);
  }
  int64_t Get() const { return value_.load(std::memory_order_relaxed); }

  // Who sees what was added sees all that the thread did before.
  void AddReleasing(int64_t n) { value_.store(Get() + n, std::memory_order_release); }
  int64_t GetAcquiring() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<int64_t> value_{0};
};

// Size classes of the statistics: class c holds requests of less than 2^c granules that
// fit no class below.
inline constexpr size_t kSizeClasses = 33;
inline size_t SizeClassOf(uint32_t granules) {
  return static_cast<size_t>(std::bit_width(granules));
}

// Sums over lanes mean something; a lane alone may free what another allocated.
struct LaneCounters {
  LaneCounter allocs;
  LaneCounter bytes;      // allocated minus freed, upstream included, as requested
  LaneCounter largest;    // request so far, bytes
  LaneCounter peak;       // bytes in use by all threads, as seen after this lane's requests
  LaneCounter live;       // blocks from plans: handed out minus released
  LaneCounter unplanned;  // requests that the plan itself sends upstream
  // Requests served from a plan, and those of planned steps that went upstream against it.
  std::array<LaneCounter, kSizeClasses> hits;
  std::array<LaneCounter, kSizeClasses> misses;
};

struct alignas(128) Lane {
  Timeline* timeline = nullptr;
  uint32_t index = 0;
  bool taken = false;  // guarded by the timeline's mutex

  // For the step that is open.
  bool recording = false;
  bool maps = false;         // large requests that no plan serves get pages of their own
  bool lent = false;         // its shape is not the plan's: slots are taken in order
  uint64_t step = 0;         // the step it has entered
  uint32_t part = 0;         // whose requests it makes: a lane of profiles and plans
  uint64_t serve = 0;        // under which its claims count
  Schedule* plan = nullptr;  // pin.get(); nullptr: no plan serves it
  uint32_t next = 0;         // the slot that its next request should take
  uint32_t end = 0;
  uint32_t committed = 0;         // granules
  uint32_t requests = 0;          // in this step
  uint32_t strays = 0;            // of them, of a size that the plan did not have left
  bool missed = false;            // the last request went upstream against the plan
  bool departed = false;          // a request was not the next one planned
  uint32_t last_taken = 0;        // slot
  RequestRef recorded;            // of its last request, if recording
  std::shared_ptr<Schedule> pin;  // keeps the plan until the lane enters another step

  int64_t told = 0;       // of counters.bytes: what the other lanes can know
  int64_t others = 0;     // bytes in use beyond this lane's, when it last told
  int64_t most_told = 0;  // of all that was told
  LaneCounters counters;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_LANE_H_
