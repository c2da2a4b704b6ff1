#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_BLOCKS_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_BLOCKS_H_

// The blocks that the arena got from upstream: what has to be known to give each of
// them back when only its address is told. Thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "allocators/planner_arena/profile.h"

namespace plimsoll {

struct UpstreamBlock {
  size_t bytes = 0;
  size_t alignment = 0;
  uint32_t site = 0;
  uint32_t timeline = 0;     // of the step it was asked for in, if any
  uint64_t missed_step = 0;  // the step, if that had a plan and missed it
  RequestRef request;        // if the step was recorded
  bool mapped = false;       // pages of its own, not upstream's
};

class UpstreamBlocks {
 public:
  // REQUIRES: `block` is not in the table. Throws std::bad_alloc; the table is unchanged then.
  void Insert(const void* block, const UpstreamBlock& what);

  // Takes the block out; nothing if it is not there.
  std::optional<UpstreamBlock> Remove(const void* block);

  // Live bytes by site, in no order.
  std::unordered_map<uint32_t, uint64_t> BytesBySite();

 private:
  static constexpr size_t kShards = 64;
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<const void*, UpstreamBlock> blocks;
  };

  Shard& ShardOf(const void* block);

  std::array<Shard, kShards> shards_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_BLOCKS_H_
