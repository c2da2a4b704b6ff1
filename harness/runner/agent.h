#ifndef HARNESS_RUNNER_AGENT_H_
#define HARNESS_RUNNER_AGENT_H_

// The harness's side inside a case's process: at each iteration's end it samples
// probe and ledger and talks to the harness outside. It lives in the preloaded
// shared object (or is linked into a LEAK_TEST), and never allocates. Thread-safe.
//
// Environment variables, set by the runner:
//   PLIMSOLL_AGENT_FD   descriptor of the stream socket to the harness
//   PLIMSOLL_PARENT     the harness's process id: only its direct child takes part
//   PLIMSOLL_FULL_SAMPLES set: each sample is a full one, with PSS and private dirty
//   PLIMSOLL_TRIM       "1": give free memory back to the kernel after each iteration
//   PLIMSOLL_DIRECT_LEAKS_FD  descriptor for what LeakSanitizer or Valgrind finds lost at each
//                       iteration's end
//   PLIMSOLL_MARK_FD    descriptor on which every byte written ends an iteration
//   PLIMSOLL_MARK_LINES set: standard output is buffered by lines
//   PLIMSOLL_REMOTE     set: a thread of the agent's takes marks from the harness

#include <cstddef>

extern "C" {

// See harness/client.h.
int plimsoll_agent_present(void);
int plimsoll_agent_iteration_end(void);

// A channel inside this process instead of the socket, for Iterate(): `write` takes
// all bytes; `read` returns the next command's bytes, blocking. Both are called with
// the calling thread's allocations suppressed from the ledger.
struct PlimsollChannel {
  void (*write)(void* context, const void* data, size_t size);
  bool (*read)(void* context, void* data, size_t size);
  void* context;
};
// Connects (nullptr: disconnects) and starts counting iterations at 1 again. False
// when the agent already serves a harness through its socket.
bool plimsoll_agent_connect(const PlimsollChannel* channel);
}

#endif  // HARNESS_RUNNER_AGENT_H_
