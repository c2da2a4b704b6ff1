#ifndef ALLOCATORS_PLANNER_ARENA_BASELINES_DEEPREC_POOL_H_
#define ALLOCATORS_PLANNER_ARENA_BASELINES_DEEPREC_POOL_H_

// DeepRec's planning rule, for comparison: size bins, and in each bin interval colouring
// over the whole history of recorded lifetimes; a lifetime takes the first chunk, from its
// own bin upward, that no other lifetime needs at the time. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace plimsoll {

class DeepRecPool {
 public:
  // Every block carries this many bytes before it.
  static constexpr size_t kHeaderBytes = 64;

  struct Lifetime {
    int64_t begin = 0;  // [begin, end) on a clock that never goes back
    int64_t end = 0;
    size_t bytes = 0;  // as requested
  };

  struct Bin {
    size_t chunks = 0;
    // Larger bins whose chunks lifetimes of this bin were given, in that order.
    std::vector<size_t> lenders;
  };

  explicit DeepRecPool(size_t bin_bytes) : bin_bytes_(bin_bytes) {}

  // Extends the plan by the lifetimes of a step. Returns whether that added a chunk.
  bool Extend(std::vector<Lifetime> lifetimes);

  // The number of the bin that serves the request; its chunks are that many bin widths.
  size_t BinOf(size_t bytes) const { return (bytes + kHeaderBytes + bin_bytes_ - 1) / bin_bytes_; }
  size_t ChunkBytes(size_t bin) const { return bin * bin_bytes_; }
  // Of all chunks.
  size_t PoolBytes() const { return pool_bytes_; }
  const std::map<size_t, Bin>& bins() const { return bins_; }
  // Lifetimes that were compared with each other so far.
  int64_t comparisons() const { return comparisons_; }

 private:
  struct Chunk {
    std::vector<std::pair<int64_t, int64_t>> used;
  };

  bool Free(const Chunk& chunk, const Lifetime& lifetime);
  bool Place(const Lifetime& lifetime);

  const size_t bin_bytes_;
  std::map<size_t, Bin> bins_;
  std::map<size_t, std::vector<Chunk>> chunks_;  // by bin
  size_t pool_bytes_ = 0;
  int64_t comparisons_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_BASELINES_DEEPREC_POOL_H_
