#ifndef HARNESS_RUNNER_MARK_DESCRIPTOR_H_
#define HARNESS_RUNNER_MARK_DESCRIPTOR_H_

// Iteration marks from programs in any language: a byte written to one descriptor ends an
// iteration. `write` and `writev` are interposed, so that the mark is taken inside the
// program, in the thread and at the moment of the call; bytes that reach the descriptor
// another way (a duplicate, a raw system call) are for its reader. Thread-safe.

namespace plimsoll {

// From now on a byte written to `descriptor` calls plimsoll_agent_iteration_end instead of
// being written. -1: none.
void TakeMarksFrom(int descriptor);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_MARK_DESCRIPTOR_H_
