#include "allocators/planner_arena/planner/exhaustive.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <random>

namespace plimsoll {

int64_t LeastHeight(const std::vector<Buffer>& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<int64_t> tops(buffers.size());
  int64_t least = -1;
  do {
    int64_t height = 0;
    for (size_t k = 0; k < order.size(); ++k) {
      const Buffer& b = buffers[order[k]];
      tops[order[k]] = 0;
      if (b.size == 0) continue;
      int64_t offset = 0;
      for (size_t e = 0; e < k; ++e) {
        const Buffer& below = buffers[order[e]];
        if (below.lower < b.upper && b.lower < below.upper) {
          offset = std::max(offset, tops[order[e]]);
        }
      }
      offset = (offset + b.alignment - 1) / b.alignment * b.alignment;
      tops[order[k]] = offset + b.size;
      height = std::max(height, tops[order[k]]);
    }
    if (least < 0 || height < least) least = height;
  } while (std::next_permutation(order.begin(), order.end()));
  return least;
}

std::vector<Buffer> TinyBuffers(int32_t count, uint64_t seed, int64_t unit, bool aligned) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t limit) { return static_cast<int64_t>(random() % limit); };
  const uint64_t ticks = 3 + random() % 6;
  std::vector<Buffer> buffers;
  for (int32_t i = 0; i < count; ++i) {
    Buffer b;
    b.lower = below(ticks);
    b.upper = b.lower + 1 + below(ticks);
    b.size = below(13) * unit;
    if (aligned && below(2) == 0) b.alignment = unit * (1 + below(4));
    buffers.push_back(b);
  }
  return buffers;
}

}  // namespace plimsoll
