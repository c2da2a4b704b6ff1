#include "harness/ledger/counters.h"

#include <limits.h>
#include <pthread.h>

#include "harness/ledger/state.h"

namespace plimsoll::ledger {
namespace {

uint64_t Unsigned(int64_t value) { return value > 0 ? static_cast<uint64_t>(value) : 0; }

}  // namespace

__thread ThreadState thread_state __attribute__((tls_model("initial-exec")));

void Counters::Initialize() {
  pthread_key_t key;
  if (pthread_key_create(&key, &Counters::ThreadEnds) != 0) return;
  key_ = key;
  has_key_.store(1, std::memory_order_release);
}

Shard* Counters::Acquire() {
  if (thread_state.shared != 0) return nullptr;
  Shard* shards = shards_.Get(kShards);
  if (shards == nullptr) return nullptr;
  const size_t count = shard_count_.load(std::memory_order_relaxed);
  Shard* mine = nullptr;
  for (size_t i = 0; i < kShards && mine == nullptr; ++i) {
    if (shards[i].owned.load(std::memory_order_relaxed) == 0 &&
        shards[i].owned.exchange(1, std::memory_order_acquire) == 0) {
      mine = &shards[i];
      size_t seen = count;
      while (seen < i + 1 &&
             !shard_count_.compare_exchange_weak(seen, i + 1, std::memory_order_release)) {
      }
      if (i + 1 > count) AddOwnBytes(sizeof(Shard));
    }
  }
  if (mine == nullptr) {
    thread_state.shared = 1;
    return nullptr;
  }
  thread_state.shard = mine;
  if (has_key_.load(std::memory_order_acquire) != 0) {
    // May allocate, for which the shard is ready.
    pthread_setspecific(key_, mine);
  }
  return mine;
}

// Other destructors of this thread may still allocate: the last round but one hands it
// back (in the last one ThreadSanitizer takes the thread's state away).
void Counters::ThreadEnds(void* shard) {
  if (++thread_state.exiting < PTHREAD_DESTRUCTOR_ITERATIONS - 1) {
    pthread_setspecific(state.counters.key_, shard);
    return;
  }
  thread_state.shared = 1;
  thread_state.shard = nullptr;
  static_cast<Shard*>(shard)->owned.store(0, std::memory_order_release);
}

void Counters::RaisePeak(int64_t candidate) {
  int64_t peak = peak_.load(std::memory_order_relaxed);
  while (candidate > peak &&
         !peak_.compare_exchange_weak(peak, candidate, std::memory_order_relaxed)) {
  }
}

void Counters::Settle(Shard* shard, int64_t live) {
  const int64_t settled = shard->settled.load(std::memory_order_relaxed);
  const int64_t before = settled_sum_.fetch_add(live - settled, std::memory_order_relaxed);
  RaisePeak(before + shard->highest.load(std::memory_order_relaxed) - settled);
  shard->settled.store(live, std::memory_order_relaxed);
  shard->highest.store(live, std::memory_order_relaxed);
}

void Counters::AddShared(int64_t bytes, int64_t blocks) {
  shared_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  shared_blocks_.fetch_add(blocks, std::memory_order_relaxed);
  if (blocks > 0) shared_calls_.fetch_add(1, std::memory_order_relaxed);
  RaisePeak(settled_sum_.fetch_add(bytes, std::memory_order_relaxed) + bytes);
}

LedgerCounters Counters::Read() {
  LedgerCounters result;
  Shard* shards = shards_.IfMapped();
  const size_t count = shards != nullptr ? shard_count_.load(std::memory_order_acquire) : 0;
  int64_t bytes = shared_bytes_.load(std::memory_order_relaxed);
  int64_t blocks = shared_blocks_.load(std::memory_order_relaxed);
  int64_t agent_bytes = agent_bytes_.load(std::memory_order_relaxed);
  int64_t agent_blocks = agent_blocks_.load(std::memory_order_relaxed);
  uint64_t calls = shared_calls_.load(std::memory_order_relaxed);
  int64_t highest_rise = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t live = shards[i].live_bytes.load(std::memory_order_relaxed);
    const int64_t rise = shards[i].highest.load(std::memory_order_relaxed) - live;
    shards[i].highest.store(live, std::memory_order_relaxed);
    if (rise > highest_rise) highest_rise = rise;
    bytes += live;
    blocks += shards[i].live_blocks.load(std::memory_order_relaxed);
    agent_bytes += shards[i].agent_bytes.load(std::memory_order_relaxed);
    agent_blocks += shards[i].agent_blocks.load(std::memory_order_relaxed);
    calls += shards[i].calls.load(std::memory_order_relaxed);
  }
  RaisePeak(bytes + highest_rise);
  result.peak_heap_bytes = Unsigned(peak_.exchange(bytes, std::memory_order_relaxed));
  result.allocation_calls = calls;
  result.untracked_blocks = untracked_.load(std::memory_order_relaxed);
  for (size_t kind = 0; kind < kResourceKinds; ++kind) {
    result.held[kind] = {Unsigned(rare_[kind].bytes.load(std::memory_order_relaxed)),
                         Unsigned(rare_[kind].blocks.load(std::memory_order_relaxed))};
  }
  result.held[static_cast<size_t>(ResourceKind::kHeap)] = {Unsigned(bytes), Unsigned(blocks)};
  result.held[static_cast<size_t>(ResourceKind::kAllocatorBlock)] = {Unsigned(agent_bytes),
                                                                     Unsigned(agent_blocks)};
  return result;
}

bool Counters::ReleaseOthersAfterFork() {
  Shard* shards = shards_.IfMapped();
  const size_t count = shards != nullptr ? shard_count_.load(std::memory_order_relaxed) : 0;
  bool others = false;
  for (size_t i = 0; i < count; ++i) {
    if (&shards[i] == thread_state.shard) continue;
    others |= shards[i].owned.exchange(0, std::memory_order_relaxed) != 0;
  }
  return others;
}

void Counters::Restate(HeldCount heap, HeldCount agent) {
  Shard* shards = shards_.IfMapped();
  const size_t count = shards != nullptr ? shard_count_.load(std::memory_order_relaxed) : 0;
  for (size_t i = 0; i < count; ++i) {
    for (std::atomic<int64_t>* field :
         {&shards[i].live_bytes, &shards[i].live_blocks, &shards[i].highest, &shards[i].settled,
          &shards[i].agent_bytes, &shards[i].agent_blocks}) {
      field->store(0, std::memory_order_relaxed);
    }
  }
  const auto bytes = static_cast<int64_t>(heap.bytes);
  shared_bytes_.store(bytes, std::memory_order_relaxed);
  shared_blocks_.store(static_cast<int64_t>(heap.blocks), std::memory_order_relaxed);
  settled_sum_.store(bytes, std::memory_order_relaxed);
  peak_.store(bytes, std::memory_order_relaxed);
  agent_bytes_.store(static_cast<int64_t>(agent.bytes), std::memory_order_relaxed);
  agent_blocks_.store(static_cast<int64_t>(agent.blocks), std::memory_order_relaxed);
}

}  // namespace plimsoll::ledger
