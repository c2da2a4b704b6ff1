#ifndef HARNESS_LEDGER_STATE_H_
#define HARNESS_LEDGER_STATE_H_

// The one ledger of the process, and what an interposed function does to it.
//
// Thread-safety: every function may be called from any thread, in any state of it:
// nothing here allocates, throws or blocks on a lock of another library.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/counters.h"
#include "harness/ledger/held.h"
#include "harness/ledger/ledger.h"
#include "harness/ledger/shadow_map.h"
#include "harness/ledger/sites.h"

namespace plimsoll::ledger {

struct State {
  static constexpr uint32_t kLastEpoch = (uint32_t{1} << 20) - 1;

  std::atomic<uint32_t> epoch{0};
  std::atomic<StackMode> stack_mode{StackMode::kCaller};
  std::atomic<int> process{0};  // process id that the tables belong to
  std::atomic<bool> interposed{false};
  Sites sites;
  Counters counters;
  ShadowMap heap;
  ShadowMap agent;  // blocks carved out of heap blocks, at the same addresses
  Descriptors descriptors;
  Mappings mappings;
  Threads threads;
};
extern State state;

// Fork handlers and the thread key. Called by whichever entry point the build has, once,
// as early as it can.
void InitializeState();

inline bool Suppressed() { return thread_state.suppressed != 0; }

inline uint32_t SiteFor(ResourceKind kind, const void* caller) {
  return state.sites.ForCaller(kind, caller);
}

inline Birth BirthHere(ResourceKind kind, const void* caller) {
  return {SiteFor(kind, caller), state.epoch.load(std::memory_order_relaxed)};
}

// A heap block was handed out. `size` is what the program asked for.
inline void EnterBlock(void* block, size_t size, const void* caller) {
  if (__builtin_expect(block == nullptr || Suppressed(), 0)) return;
  const uint32_t site = SiteFor(ResourceKind::kHeap, caller);
  const uint32_t epoch = state.epoch.load(std::memory_order_relaxed);
  if (__builtin_expect(site == Sites::kNone ||
                           !state.heap.Put(block, {.site = site, .epoch = epoch, .size = size}),
                       0)) {
    return state.counters.Untracked();
  }
  state.counters.Allocated(size);
}

// Before the block is freed: afterwards another thread may own its address.
inline void LeaveBlock(void* block) {
  Record record;
  if (__builtin_expect(state.heap.Take(block, &record), 1)) state.counters.Freed(record.size);
}

// False in a vfork child, which shares its parent's memory: what it opens and closes
// before exec is not the parent's.
inline bool InOwnProcess() {
  return KernelProcessId() == state.process.load(std::memory_order_relaxed);
}

void EnterDescriptor(int descriptor, const void* caller);
void LeaveDescriptor(int descriptor);
void LeaveDescriptors(unsigned first, unsigned last);
void EnterMapping(void* start, size_t bytes, const void* caller);
void LeaveMapping(void* start, size_t bytes);
void EnterAgentBlock(const void* block, size_t size, const void* caller);
void LeaveAgentBlock(const void* block);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_STATE_H_
