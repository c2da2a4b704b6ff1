#include "allocators/planner_arena/planner/plan.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace plimsoll {

Status CheckBuffers(const std::vector<Buffer>& buffers) {
  constexpr int64_t kLimit = int64_t{1} << 62;
  int64_t total = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& b = buffers[i];
    const std::string where = "buffer " + std::to_string(i);
    if (b.lower >= b.upper) {
      return BadValue(where, "upper", std::to_string(b.upper),
                      "expected more than lower, which is " + std::to_string(b.lower));
    }
    if (b.lower <= -kLimit) {
      return BadValue(where, "lower", std::to_string(b.lower), "expected > -2^62");
    }
    if (b.upper >= kLimit) {
      return BadValue(where, "upper", std::to_string(b.upper), "expected < 2^62");
    }
    if (b.size < 0) return BadValue(where, "size", std::to_string(b.size), "expected >= 0");
    if (b.alignment < 1) {
      return BadValue(where, "alignment", std::to_string(b.alignment), "expected >= 1");
    }
    if (b.size >= kLimit - total || b.alignment >= kLimit - total - b.size) {
      return BadValue(where, "size", std::to_string(b.size),
                      "expected all sizes and alignments to add up to less than 2^62 bytes");
    }
    total += b.size + b.alignment;
  }
  return {};
}

int64_t LowerBound(const std::vector<Buffer>& buffers) {
  std::vector<std::pair<int64_t, int64_t>> changes;  // time, bytes
  changes.reserve(2 * buffers.size());
  for (const Buffer& b : buffers) {
    changes.emplace_back(b.lower, b.size);
    changes.emplace_back(b.upper, -b.size);
  }
  // At equal times the negative changes sort first: a range excludes its end.
  std::sort(changes.begin(), changes.end());
  int64_t live = 0;
  int64_t most = 0;
  for (const auto& [time, bytes] : changes) {
    live += bytes;
    most = std::max(most, live);
  }
  return most;
}

int64_t Height(const std::vector<Buffer>& buffers, const std::vector<int64_t>& offsets) {
  int64_t height = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].size > 0) height = std::max(height, offsets[i] + buffers[i].size);
  }
  return height;
}

}  // namespace plimsoll
