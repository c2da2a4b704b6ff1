#include "allocators/planner_arena/arena_blocks.h"

namespace plimsoll {

UpstreamBlocks::Shard& UpstreamBlocks::ShardOf(const void* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  return shards_[(address * 0x9E3779B97F4A7C15u) >> 58];
}

void UpstreamBlocks::Insert(const void* block, const UpstreamBlock& what) {
  Shard& shard = ShardOf(block);
  const std::lock_guard<std::mutex> lock(shard.mutex);
  shard.blocks.emplace(block, what);
}

std::optional<UpstreamBlock> UpstreamBlocks::Remove(const void* block) {
  Shard& shard = ShardOf(block);
  const std::lock_guard<std::mutex> lock(shard.mutex);
  const auto it = shard.blocks.find(block);
  if (it == shard.blocks.end()) return std::nullopt;
  const UpstreamBlock what = it->second;
  shard.blocks.erase(it);
  return what;
}

std::unordered_map<uint32_t, uint64_t> UpstreamBlocks::BytesBySite() {
  std::unordered_map<uint32_t, uint64_t> bytes;
  for (Shard& shard : shards_) {
    const std::lock_guard<std::mutex> lock(shard.mutex);
    for (const auto& [block, what] : shard.blocks) bytes[what.site] += what.bytes;
  }
  return bytes;
}

}  // namespace plimsoll
