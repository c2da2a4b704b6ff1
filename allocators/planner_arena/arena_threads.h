#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_THREADS_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_THREADS_H_

// What threads keep of the arenas they allocate from: the lanes they took, given back
// when they end, even after their arena. Thread-safe.

#include <cstdint>

#include "allocators/planner_arena/arena_lane.h"

namespace plimsoll {

class Timeline;

// What a thread remembers from call to call.
struct ThreadMemory {
  uint64_t arena = 0;
  uint64_t epoch = 0;
  Lane* lane = nullptr;       // in the step that it takes part in, if any
  Lane* last_lane = nullptr;  // of this arena, for as long as the thread lives
};

namespace internal {
extern __attribute__((tls_model("initial-exec"))) constinit thread_local ThreadMemory t_memory;
}  // namespace internal

// An identity that no other arena has or will have.
uint64_t RegisterArena();
// Threads forget their lanes of it.
void UnregisterArena(uint64_t arena);

// The calling thread's lane in the timeline; takes one if it has none. nullptr when the
// thread is ending.
// REQUIRES: the arena is registered.
Lane* LaneOfThread(uint64_t arena, Timeline& timeline);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_THREADS_H_
