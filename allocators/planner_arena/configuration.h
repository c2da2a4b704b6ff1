#ifndef ALLOCATORS_PLANNER_ARENA_CONFIGURATION_H_
#define ALLOCATORS_PLANNER_ARENA_CONFIGURATION_H_

// What can be set about an arena: DeepRec's four controls by their names, and the
// arena's own. A plain value; reading the environment is as thread-safe as getenv.

#include <cstdint>

#include "base/error.h"

namespace plimsoll {

// When the arena's pages are committed.
enum class Growth {
  kGrow,         // as slots are first used: regions that double, smaller when refused
  kPreallocate,  // and made resident, all of a plan, when it is first used
};

struct ArenaConfiguration {
  // Offsets are 32-bit numbers of 64-byte granules, and one value is set aside.
  static constexpr uint64_t kMostReservedBytes = (uint64_t{1} << 38) - 4096;

  // ENABLE_MEMORY_OPTIMIZATION (true): false sends every request upstream.
  bool enable_memory_optimization = true;
  // START_STATISTIC_STEP (100): steps that pass before the first is recorded.
  int64_t start_statistic_step = 100;
  // STABLE_STATISTIC_STEP (10): recording ends after this many steps in a row that
  // brought nothing new.
  int64_t stable_statistic_step = 10;
  // MAX_STATISTIC_STEP (100): recording ends after this many steps in any case. Afterwards,
  // when more than one request in a hundred of a step misses its plan, steps are recorded
  // again now and then: what repeats from there on is planned within 132 steps, and served
  // as soon as that planning is done.
  int64_t max_statistic_step = 100;

  // Plan on a thread of its own while steps go on; else at the end of the step.
  bool plan_in_background = true;
  // What planning one step may take, in seconds; planners that can go on improving stop
  // here. At least 0.001, at most 3600.
  double plan_seconds = 2;
  // Plans that are kept for steps of different shapes, 1 to 1024; the one that was used
  // least recently makes room.
  int64_t max_plans = 16;

  // Address space to reserve per timeline, in bytes, at most kMostReservedBytes; what a
  // plan has above it is served upstream. 0: as much as the machine has memory.
  uint64_t reserve_bytes = 0;
  // Bytes that the arena may hold, upstream's included; beyond it requests fail. 0: no limit.
  uint64_t limit_bytes = 0;
  Growth growth = Growth::kGrow;
  // The first region that kGrow commits, in bytes; at least one page.
  uint64_t first_region_bytes = uint64_t{2} << 20;
  // When no step was open for this long, the arena's free pages go back to the system.
  // Absent by default: -1. 0: at the end of every step. Milliseconds.
  int64_t decay_ms = -1;
  // Ask for huge pages (madvise): a step whose blocks spread over a plan touches fewer pages,
  // and takes 5 to 40 % less time. Where the kernel has none, small ones serve.
  bool huge_pages = true;
  // Ask for pages of all NUMA nodes in turn (mbind).
  bool numa_interleave = false;

  // The defaults, overridden by the environment variables named above. true, false, 1
  // and 0, in any case, are booleans; steps are integers of at least 0 (START) or 1 (the others).
  static Expected<ArenaConfiguration> FromEnvironment();

  // The first field that is out of range, by its name.
  Status Check() const;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_CONFIGURATION_H_
