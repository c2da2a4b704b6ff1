#include "harness/ledger/state.h"

#include <pthread.h>

#include "harness/ledger/unwind.h"

namespace plimsoll::ledger {

constinit State state;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void BeforeFork() {
  state.names.lock().Lock();
  state.threads.lock().Lock();
  state.mappings.lock().Lock();
  state.sites.lock().Lock();
  state.heap.LockForFork();
  state.agent.LockForFork();
  // ThreadSanitizer's own handler, which runs before ours in the child, allocates.
  ++thread_state.suppressed;
}

void AfterForkInParent() {
  --thread_state.suppressed;
  state.agent.UnlockAfterFork();
  state.heap.UnlockAfterFork();
  state.sites.lock().Unlock();
  state.mappings.lock().Unlock();
  state.threads.lock().Unlock();
  state.names.lock().Unlock();
}

void AfterForkInChild() {
  AfterForkInParent();
  state.process.store(KernelProcessId(), kRelaxed);
  const uint64_t gone = state.threads.KeepOnly(pthread_self());
  state.counters.Held(ResourceKind::kThread, 0, -static_cast<int64_t>(gone));
  if (!state.counters.ReleaseOthersAfterFork()) return;
  // Another thread may have been between a record and its count.
  HeldCount heap, agent;
  state.heap.ForEach([&](const Record& record) {
    heap.bytes += record.size;
    ++heap.blocks;
  });
  state.agent.ForEach([&](const Record& record) {
    agent.bytes += record.size;
    ++agent.blocks;
  });
  state.counters.Restate(heap, agent);
}

void Count(const Mappings::Change& change) {
  state.counters.Held(ResourceKind::kMapping, change.bytes, change.ranges);
}

}  // namespace

void InitializeState() {
  state.process.store(KernelProcessId(), kRelaxed);
  Suppress own;
  state.counters.Initialize();
  pthread_atfork(&BeforeFork, &AfterForkInParent, &AfterForkInChild);
}

uint32_t SiteOfStack(ResourceKind kind, const void* frame) {
  if (state.stacks.load(kRelaxed) == Stacks::kAtSomeSites) {
    const uint32_t site = state.sites.ForCaller(kind, ReturnAddress(frame));
    const std::atomic<uint64_t>* wanted = state.sites_with_stacks.IfMapped();
    if (wanted == nullptr || (wanted[site / 64].load(kRelaxed) >> (site % 64) & 1) == 0) {
      return site;
    }
  }
  Stack stack;
  CaptureStack(frame, kMaximumFrames, &stack);
  return state.sites.ForStack(kind, stack.addresses, stack.count, stack.hash);
}

void EnterDescriptor(int descriptor, const void* frame) {
  if (descriptor < 0 || Suppressed() || !InOwnProcess()) return;
  const Birth birth = BirthHere(ResourceKind::kDescriptor, frame);
  const auto change =
      birth.site != 0 ? state.descriptors.Opened(descriptor, birth) : Descriptors::Change::kRefused;
  if (change == Descriptors::Change::kAdded) {
    state.counters.Held(ResourceKind::kDescriptor, 0, 1);
  } else if (change == Descriptors::Change::kRefused) {
    state.counters.Untracked();
  }
}

void LeaveDescriptor(int descriptor) {
  if (descriptor < 0 || !InOwnProcess()) return;
  if (state.descriptors.Closed(descriptor)) state.counters.Held(ResourceKind::kDescriptor, 0, -1);
}

void LeaveDescriptors(unsigned first, unsigned last) {
  if (!InOwnProcess()) return;
  const uint64_t closed = state.descriptors.ClosedRange(first, last);
  state.counters.Held(ResourceKind::kDescriptor, 0, -static_cast<int64_t>(closed));
}

void EnterMapping(void* start, size_t bytes, const void* frame) {
  if (Suppressed() || !InOwnProcess()) return;
  const Birth birth = BirthHere(ResourceKind::kMapping, frame);
  Mappings::Change change;
  if (birth.site == 0 ||
      !state.mappings.Add(reinterpret_cast<uint64_t>(start), bytes, birth, &change)) {
    state.counters.Untracked();
  }
  Count(change);
}

void LeaveMapping(void* start, size_t bytes) {
  if (state.mappings.Empty() || !InOwnProcess()) return;
  Mappings::Change change;
  if (!state.mappings.Remove(reinterpret_cast<uint64_t>(start), bytes, &change)) {
    state.counters.Untracked();
  }
  Count(change);
}

void LeaveMappingAt(void* start) {
  if (state.mappings.Empty() || !InOwnProcess()) return;
  Mappings::Change change;
  state.mappings.RemoveAt(reinterpret_cast<uint64_t>(start), &change);
  Count(change);
}

void EnterAgentBlock(const void* block, size_t size, const void* frame) {
  if (block == nullptr || Suppressed()) return;
  const Birth birth = BirthHere(ResourceKind::kAllocatorBlock, frame);
  if (birth.site == 0 ||
      !state.agent.Put(block, {.site = birth.site, .epoch = birth.epoch, .size = size})) {
    return state.counters.Untracked();
  }
  state.counters.AgentBlock(static_cast<int64_t>(size), 1);
}

void LeaveAgentBlock(const void* block) {
  Record record;
  if (state.agent.Take(block, &record)) {
    state.counters.AgentBlock(-static_cast<int64_t>(record.size), -1);
  }
}

}  // namespace plimsoll::ledger
