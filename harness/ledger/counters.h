#ifndef HARNESS_LEDGER_COUNTERS_H_
#define HARNESS_LEDGER_COUNTERS_H_

// Live bytes and blocks, counted by each thread in a line of its own and summed by
// whoever reads.
//
// Thread-safety: Allocated and Freed from any thread; Read from one caller at a time.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/own_memory.h"
#include "harness/sample.h"

namespace plimsoll::ledger {

// What one thread has allocated less what it has freed; negative where it frees what
// others allocated. Written by its owner alone. A thread that ends hands its shard, with
// the sums in it, to the next thread that starts.
struct alignas(128) Shard {
  std::atomic<int64_t> live_bytes;
  std::atomic<int64_t> live_blocks;
  std::atomic<uint64_t> calls;
  std::atomic<int64_t> highest;  // of live_bytes, since settled or Read
  std::atomic<int64_t> settled;  // live_bytes when last added to the shared sum
  std::atomic<int64_t> agent_bytes;
  std::atomic<int64_t> agent_blocks;
  std::atomic<uint32_t> owned;
};
static_assert(sizeof(Shard) == 128);

// This thread's part of the ledger. Zero until first used; never destroyed, for code runs
// in a thread after every destructor.
struct ThreadState {
  Shard* shard;
  uint32_t suppressed;
  uint8_t exiting;  // rounds of thread-specific destructors seen
  uint8_t shared;   // past the last round: counts in the shared shard
};
extern __thread ThreadState thread_state __attribute__((tls_model("initial-exec")));

class Counters {
 public:
  void Allocated(uint64_t size) {
    Shard* shard = thread_state.shard;
    if (__builtin_expect(shard == nullptr, 0)) {
      shard = Acquire();
      if (shard == nullptr) return AddShared(static_cast<int64_t>(size), 1);
    }
    const int64_t live = Bump(shard->live_bytes, static_cast<int64_t>(size));
    Bump(shard->live_blocks, 1);
    shard->calls.store(shard->calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (live > shard->highest.load(std::memory_order_relaxed)) {
      shard->highest.store(live, std::memory_order_relaxed);
    }
    if (live - shard->settled.load(std::memory_order_relaxed) > kSettleBytes) Settle(shard, live);
  }

  void Freed(uint64_t size) {
    Shard* shard = thread_state.shard;
    if (__builtin_expect(shard == nullptr, 0)) {
      shard = Acquire();
      if (shard == nullptr) return AddShared(-static_cast<int64_t>(size), -1);
    }
    const int64_t live = Bump(shard->live_bytes, -static_cast<int64_t>(size));
    Bump(shard->live_blocks, -1);
    if (shard->settled.load(std::memory_order_relaxed) - live > kSettleBytes) Settle(shard, live);
  }

  // Blocks that an allocator reports as its own.
  void AgentBlock(int64_t bytes, int64_t blocks) {
    Shard* shard = thread_state.shard != nullptr ? thread_state.shard : Acquire();
    if (shard == nullptr) {
      agent_bytes_.fetch_add(bytes, std::memory_order_relaxed);
      agent_blocks_.fetch_add(blocks, std::memory_order_relaxed);
      return;
    }
    Bump(shard->agent_bytes, bytes);
    Bump(shard->agent_blocks, blocks);
  }

  // Descriptors, threads, mappings, names: rare enough for one shared count.
  void Held(ResourceKind kind, int64_t bytes, int64_t blocks) {
    Rare& rare = rare_[static_cast<size_t>(kind)];
    rare.bytes.fetch_add(bytes, std::memory_order_relaxed);
    rare.blocks.fetch_add(blocks, std::memory_order_relaxed);
  }
  void Untracked() { untracked_.fetch_add(1, std::memory_order_relaxed); }

  LedgerCounters Read();
  bool AnyUntracked() const { return untracked_.load(std::memory_order_relaxed) != 0; }

  // Called in a forked child, where the threads that owned the other shards are no more:
  // true when there was one, so that a count may have been caught half-way.
  bool ReleaseOthersAfterFork();
  // Replaces the heap and agent counts by exact ones.
  void Restate(HeldCount heap, HeldCount agent);

  // Makes the key whose destructor hands a shard back. Once, before any thread ends.
  void Initialize();

 private:
  static constexpr size_t kShards = 4096;
  static constexpr int64_t kSettleBytes = 64 * 1024;
  struct Rare {
    std::atomic<int64_t> bytes, blocks;
  };

  static int64_t Bump(std::atomic<int64_t>& counter, int64_t by) {
    const int64_t value = counter.load(std::memory_order_relaxed) + by;
    counter.store(value, std::memory_order_relaxed);
    return value;
  }
  static void ThreadEnds(void* shard);

  Shard* Acquire();
  void Settle(Shard* shard, int64_t live);
  void AddShared(int64_t bytes, int64_t blocks);
  void RaisePeak(int64_t candidate);

  OwnArray<Shard> shards_;
  std::atomic<size_t> shard_count_{0};
  std::atomic<uint32_t> has_key_{0};
  unsigned key_ = 0;
  alignas(128) std::atomic<int64_t> settled_sum_{0};
  std::atomic<int64_t> peak_{0};
  // For threads without a shard: too many at once, or past their last destructor.
  std::atomic<int64_t> shared_bytes_{0}, shared_blocks_{0};
  std::atomic<uint64_t> shared_calls_{0};
  std::atomic<int64_t> agent_bytes_{0}, agent_blocks_{0};
  std::atomic<uint64_t> untracked_{0};
  Rare rare_[kResourceKinds] = {};
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_COUNTERS_H_
