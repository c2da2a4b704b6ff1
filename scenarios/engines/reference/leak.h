#ifndef SCENARIOS_ENGINES_REFERENCE_LEAK_H_
#define SCENARIOS_ENGINES_REFERENCE_LEAK_H_

// A planted leak of an exact size: blocks that stay reachable for good. One instance
// belongs to one thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

class ReachableLeak : public PatternRun {
 public:
  static constexpr size_t kMostBlocks = 1 << 20;

  // Keeps a block of `bytes` (at least 1) in every `every`-th iteration.
  ReachableLeak(size_t bytes, uint64_t every);

  // Throws std::length_error beyond kMostBlocks.
  void Iterate() override;

 private:
  // The site: what allocates has this name in the call stack.
  PLIMSOLL_SITE void RememberPlan();

  size_t bytes_;
  uint64_t every_;
  uint64_t iteration_ = 0;
  // Reserved in full at first, so that it never moves: the blocks are all that is kept.
  std::vector<std::unique_ptr<std::byte[]>> plans_;
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_LEAK_H_
