#include "allocators/workspace/sizing.h"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

constexpr uint64_t kLargest = INT64_MAX;
// Room in a circular block for cycles a little larger than those seen so far.
constexpr double kBlockSlack = 0.3;

uint64_t GrownBy(uint64_t bytes, double share) {
  const double extra = std::round(static_cast<double>(bytes) * share);
  if (!(extra < static_cast<double>(kLargest - bytes))) return kLargest;
  return bytes + static_cast<uint64_t>(extra);
}

uint64_t AlignedUp(uint64_t bytes, uint64_t alignment) {
  if (bytes > kLargest - alignment) return kLargest;
  return (bytes + alignment - 1) & ~(alignment - 1);
}

// Over-allocates and clamps. `max` is the last word, aligned or not: a workspace that
// may have 1000 bytes gets 1000.
uint64_t Capacity(const WorkspaceConfiguration& configuration, uint64_t bytes, uint64_t min) {
  if (configuration.allocation() == AllocationPolicy::kOverallocate) {
    bytes = GrownBy(bytes, configuration.overallocation_limit());
  }
  bytes = std::max(AlignedUp(bytes, configuration.alignment()), min);
  const uint64_t max = configuration.max_size();
  return max == 0 ? bytes : std::min(bytes, max);
}

}  // namespace

uint64_t InitialCapacity(const WorkspaceConfiguration& configuration) {
  if (configuration.initial_size() == 0) return 0;
  return Capacity(configuration, configuration.initial_size(), 0);
}

uint64_t CircularBlock(const WorkspaceConfiguration& configuration, uint64_t largest_cycle) {
  return AlignedUp(GrownBy(largest_cycle, kBlockSlack), configuration.alignment());
}

uint64_t LearnedCapacity(const WorkspaceConfiguration& configuration, uint64_t largest_cycle) {
  if (largest_cycle == 0) return 0;
  const uint64_t unit =
      configuration.circular() ? CircularBlock(configuration, largest_cycle) : largest_cycle;
  return Capacity(configuration, unit, configuration.min_size());
}

uint64_t CyclesPerStep(const WorkspaceConfiguration& configuration) {
  if (configuration.allocation() == AllocationPolicy::kStrict) return 1;
  return static_cast<uint64_t>(
      std::min(std::floor(1 + configuration.overallocation_limit()), 9e18));
}

}  // namespace plimsoll
