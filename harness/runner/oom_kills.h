#ifndef HARNESS_RUNNER_OOM_KILLS_H_
#define HARNESS_RUNNER_OOM_KILLS_H_

// Whether the kernel killed a process for lack of memory. Thread-safe.

#include "harness/sample.h"

namespace plimsoll {

// Processes killed so far: in this process's control group (memory.events of cgroup v2),
// else on the whole machine (/proc/vmstat, Linux 4.13). Absent where neither says.
Count OutOfMemoryKills();

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_OOM_KILLS_H_
