#include "allocators/planner_arena/planner/greedy.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

namespace plimsoll {
namespace {

// The offset for `size` bytes among occupied ranges that are sorted by their begin.
int64_t FindOffset(const std::vector<std::pair<int64_t, int64_t>>& occupied, const Buffer& buffer,
                   Fit fit) {
  int64_t top = 0;
  int64_t best = -1;
  int64_t best_gap = std::numeric_limits<int64_t>::max();
  for (const auto& [begin, end] : occupied) {
    const int64_t offset = AlignUp(top, buffer.alignment);
    if (begin - offset >= buffer.size && begin - top < best_gap) {
      if (fit == Fit::kFirst) return offset;
      best = offset;
      best_gap = begin - top;
    }
    top = std::max(top, end);
  }
  return best >= 0 ? best : AlignUp(top, buffer.alignment);
}

}  // namespace

Plan GreedyInOrder(const std::vector<Buffer>& buffers, const std::vector<int32_t>& order, Fit fit) {
  Plan plan;
  plan.offsets.assign(buffers.size(), 0);
  plan.lower_bound = LowerBound(buffers);
  std::vector<int32_t> placed;
  std::vector<std::pair<int64_t, int64_t>> occupied;
  for (int32_t i : order) {
    const Buffer& b = buffers[i];
    if (b.size == 0) continue;
    occupied.clear();
    for (int32_t j : placed) {
      const Buffer& other = buffers[j];
      if (other.lower < b.upper && b.lower < other.upper) {
        occupied.emplace_back(plan.offsets[j], plan.offsets[j] + other.size);
      }
    }
    std::sort(occupied.begin(), occupied.end());
    plan.offsets[i] = FindOffset(occupied, b, fit);
    placed.push_back(i);
  }
  plan.height = Height(buffers, plan.offsets);
  return plan;
}

Plan GreedyBySize(const std::vector<Buffer>& buffers, Fit fit) {
  std::vector<int32_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
    const Buffer& a = buffers[i];
    const Buffer& b = buffers[j];
    return std::make_tuple(-a.size, a.lower - a.upper, a.lower, i) <
           std::make_tuple(-b.size, b.lower - b.upper, b.lower, j);
  });
  return GreedyInOrder(buffers, order, fit);
}

}  // namespace plimsoll
