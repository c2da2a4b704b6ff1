#ifndef HARNESS_PROBE_STACKS_H_
#define HARNESS_PROBE_STACKS_H_

// How much of the calling process's resident memory is its threads' stacks. For the end of a
// run: takes a walk over all mappings. One thread at a time; does not need the C++ run-time
// library.

#include "harness/sample.h"

namespace plimsoll {

// Resident bytes of the mappings in which the threads' stack pointers lie, at most 512 of
// them; of threads that are running at this moment, other than the caller, the pointer is not
// told and the stack not counted. Absent when /proc/self/smaps (Linux 2.6.14) cannot be read.
Count ResidentStackBytes();

}  // namespace plimsoll

#endif  // HARNESS_PROBE_STACKS_H_
