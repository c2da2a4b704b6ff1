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
#include "harness/ledger/names.h"
#include "harness/ledger/shadow_map.h"
#include "harness/ledger/sites.h"

namespace plimsoll::ledger {

// Which allocations are named by their whole stack.
enum class Stacks : uint8_t { kNone, kAtSomeSites, kAll };

struct State {
  static constexpr uint32_t kLastEpoch = (uint32_t{1} << 20) - 1;

  std::atomic<uint32_t> epoch{0};
  std::atomic<Stacks> stacks{Stacks::kNone};
  OwnArray<std::atomic<uint64_t>> sites_with_stacks;  // a bit each, for kAtSomeSites
  std::atomic<int> process{0};                        // process id that the tables belong to
  std::atomic<bool> interposed{false};
  Sites sites;
  Counters counters;
  ShadowMap heap;
  ShadowMap agent;  // blocks carved out of heap blocks, at the same addresses
  Descriptors descriptors;
  Mappings mappings;
  Threads threads;
  Names names;
};
extern State state;

// Fork handlers and the thread key. Called by whichever entry point the build has, once,
// as early as it can.
void InitializeState();

inline bool Suppressed() { return thread_state.suppressed != 0; }

// Who called the function whose frame (__builtin_frame_address(0)) is given.
inline const void* ReturnAddress(const void* frame) {
  return static_cast<const void* const*>(frame)[1];
}

uint32_t SiteOfStack(ResourceKind kind, const void* frame);

inline uint32_t SiteFor(ResourceKind kind, const void* frame) {
  return __builtin_expect(state.stacks.load(std::memory_order_relaxed) == Stacks::kNone, 1)
             ? state.sites.ForCaller(kind, ReturnAddress(frame))
             : SiteOfStack(kind, frame);
}

inline Birth BirthHere(ResourceKind kind, const void* frame) {
  return {SiteFor(kind, frame), state.epoch.load(std::memory_order_relaxed)};
}

// A heap block was handed out. `size` is what the program asked for.
inline void EnterBlockAt(uint32_t site, void* block, size_t size) {
  const uint32_t epoch = state.epoch.load(std::memory_order_relaxed);
  if (__builtin_expect(site == Sites::kNone ||
                           !state.heap.Put(block, {.site = site, .epoch = epoch, .size = size}),
                       0)) {
    return state.counters.Untracked();
  }
  state.counters.Allocated(size);
}

inline void EnterBlock(void* block, size_t size, const void* frame) {
  if (__builtin_expect(block == nullptr || Suppressed(), 0)) return;
  EnterBlockAt(SiteFor(ResourceKind::kHeap, frame), block, size);
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

void EnterDescriptor(int descriptor, const void* frame);
void LeaveDescriptor(int descriptor);
void LeaveDescriptors(unsigned first, unsigned last);
void EnterMapping(void* start, size_t bytes, const void* frame);
void LeaveMapping(void* start, size_t bytes);
// Where only the start is known, as of shmdt.
void LeaveMappingAt(void* start);
void EnterAgentBlock(const void* block, size_t size, const void* frame);
void LeaveAgentBlock(const void* block);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_STATE_H_
