#include "allocators/workspace/apart_blocks.h"

#include <algorithm>

namespace plimsoll {

Expected<MemoryPair> ApartBlocks::Allocate(uint64_t bytes, uint64_t alignment, uint64_t age) {
  // Room in the list first: nothing may fail between getting the block and noting it.
  if (blocks_.size() == blocks_.capacity())
    blocks_.reserve(std::max<size_t>(16, 2 * blocks_.size()));
  Expected<MemoryPair> pair = source_.Allocate(bytes, alignment);
  if (!pair) return pair;
  blocks_.push_back({*pair, age});
  bytes_ += bytes;
  return pair;
}

void ApartBlocks::FreeThrough(uint64_t age) noexcept {
  const auto kept = std::find_if(blocks_.begin(), blocks_.end(),
                                 [age](const Block& block) { return block.age > age; });
  for (auto block = blocks_.begin(); block != kept; ++block) {
    source_.Free(block->pair);
    bytes_ -= block->pair.bytes;
  }
  blocks_.erase(blocks_.begin(), kept);
  if (age != UINT64_MAX) held_from_ = std::max(held_from_, age + 1);
}

}  // namespace plimsoll
