#include "allocators/planner_arena/baselines/deeprec_pool.h"

#include <algorithm>

namespace plimsoll {

bool DeepRecPool::Free(const Chunk& chunk, const Lifetime& lifetime) {
  for (const auto& [begin, end] : chunk.used) {
    ++comparisons_;
    if (begin < lifetime.end && lifetime.begin < end) return false;
  }
  return true;
}

// Returns whether it took a new chunk.
bool DeepRecPool::Place(const Lifetime& lifetime) {
  const size_t own = BinOf(lifetime.bytes);
  Bin& bin = bins_[own];
  for (auto it = chunks_.lower_bound(own); it != chunks_.end(); ++it) {
    for (Chunk& chunk : it->second) {
      if (!Free(chunk, lifetime)) continue;
      chunk.used.emplace_back(lifetime.begin, lifetime.end);
      std::vector<size_t>& lenders = bin.lenders;
      if (it->first != own &&
          std::find(lenders.begin(), lenders.end(), it->first) == lenders.end()) {
        lenders.push_back(it->first);
      }
      return false;
    }
  }
  chunks_[own].push_back(Chunk{{{lifetime.begin, lifetime.end}}});
  ++bin.chunks;
  pool_bytes_ += ChunkBytes(own);
  return true;
}

bool DeepRecPool::Extend(std::vector<Lifetime> lifetimes) {
  // Large bins first, so that small ones find room in them.
  std::stable_sort(lifetimes.begin(), lifetimes.end(), [&](const Lifetime& a, const Lifetime& b) {
    return std::pair(BinOf(b.bytes), a.end) < std::pair(BinOf(a.bytes), b.end);
  });
  bool grown = false;
  for (const Lifetime& lifetime : lifetimes) grown = Place(lifetime) || grown;
  return grown;
}

}  // namespace plimsoll
