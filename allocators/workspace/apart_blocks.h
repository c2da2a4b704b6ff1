#ifndef ALLOCATORS_WORKSPACE_APART_BLOCKS_H_
#define ALLOCATORS_WORKSPACE_APART_BLOCKS_H_

// What a workspace allocated apart because it did not fit, oldest first, until it is
// old enough to be freed. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocators/workspace/memory_pair.h"
#include "base/error.h"

namespace plimsoll {

class ApartBlocks {
 public:
  // `source` is borrowed.
  explicit ApartBlocks(const MemoryPairSource& source) : source_(source) {}
  ApartBlocks(const ApartBlocks&) = delete;
  ApartBlocks& operator=(const ApartBlocks&) = delete;
  ~ApartBlocks() { FreeThrough(UINT64_MAX); }

  // One more block, of the age that its arrays are asked about later. Ages never
  // decrease from call to call.
  Expected<MemoryPair> Allocate(uint64_t bytes, uint64_t alignment, uint64_t age);

  // Frees every block of that age or older.
  void FreeThrough(uint64_t age) noexcept;

  // Whether blocks of that age are still there.
  bool Holds(uint64_t age) const { return age >= held_from_; }

  uint64_t bytes() const { return bytes_; }
  size_t count() const { return blocks_.size(); }

 private:
  struct Block {
    MemoryPair pair;
    uint64_t age;
  };

  const MemoryPairSource& source_;
  std::vector<Block> blocks_;
  uint64_t bytes_ = 0;
  uint64_t held_from_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_APART_BLOCKS_H_
