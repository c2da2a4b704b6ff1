#ifndef ALLOCATORS_PLANNER_ARENA_CONFIGURATION_H_
#define ALLOCATORS_PLANNER_ARENA_CONFIGURATION_H_

// What can be set about an arena: DeepRec's four controls by their names, and the
// arena's own. A plain value; reading the environment is as thread-safe as getenv.

#include <cstdint>

#include "base/error.h"

namespace plimsoll {

struct ArenaConfiguration {
  // ENABLE_MEMORY_OPTIMIZATION (true): false sends every request upstream.
  bool enable_memory_optimization = true;
  // START_STATISTIC_STEP (100): steps that pass before the first is recorded.
  int64_t start_statistic_step = 100;
  // STABLE_STATISTIC_STEP (10): recording ends after this many steps in a row that
  // brought nothing new.
  int64_t stable_statistic_step = 10;
  // MAX_STATISTIC_STEP (100): recording ends after this many steps in any case.
  int64_t max_statistic_step = 100;

  // Address space to reserve per timeline, in bytes; no plan is larger. 0: as much as
  // the machine has memory.
  uint64_t reserve_bytes = 0;
  // Plan on a thread of its own while steps go on; else at the end of the step.
  bool plan_in_background = true;

  // The defaults, overridden by the environment variables named above. true, false, 1
  // and 0 are booleans; steps are integers of at least 0 (START) or 1 (the others).
  static Expected<ArenaConfiguration> FromEnvironment();

  // The first field that is out of range, by its environment variable's name.
  Status Check() const;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_CONFIGURATION_H_
