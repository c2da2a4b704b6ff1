#include "allocators/planner_arena/planner/part_greedy.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

#include "allocators/planner_arena/planner/occupancy.h"

namespace plimsoll {
namespace {

// Short lifetimes are looked at a few times before they lie; long ones as often as what
// lies below them grows.
constexpr size_t kMostLifts = 40;

int64_t FindOffset(const std::vector<Occupancy::Run>& taken, const Item& item, Fit fit) {
  int64_t top = 0;
  int64_t best = -1;
  int64_t best_gap = std::numeric_limits<int64_t>::max();
  for (const auto& [begin, end] : taken) {
    if (begin - top >= item.size && begin - top < best_gap) {
      const int64_t offset = AlignUp(top, item.alignment);
      if (begin - offset >= item.size) {
        if (fit == Fit::kFirst) return offset;
        best = offset;
        best_gap = begin - top;
      }
    }
    top = std::max(top, end);
  }
  return best >= 0 ? best : AlignUp(top, item.alignment);
}

// The top of what lies in each section: greatest value of a range, and ranges set to one
// value that is at least all of theirs.
class Skyline {
 public:
  explicit Skyline(int32_t sections)
      : sections_(sections), nodes_(2 * std::bit_ceil(static_cast<size_t>(sections))) {}

  int64_t Greatest(int32_t first, int32_t last) const {
    return Greatest(1, 0, sections_, first, last);
  }
  void Raise(int32_t first, int32_t last, int64_t top) { Raise(1, 0, sections_, first, last, top); }

 private:
  struct Node {
    int64_t greatest = 0;
    int64_t all = 0;  // every section is at least this high
  };

  int64_t Greatest(size_t node, int32_t begin, int32_t end, int32_t first, int32_t last) const {
    if (first <= begin && end <= last) return nodes_[node].greatest;
    int64_t greatest = nodes_[node].all;
    if (greatest == nodes_[node].greatest) return greatest;
    const int32_t middle = begin + (end - begin) / 2;
    if (first < middle) {
      greatest = std::max(greatest, Greatest(2 * node, begin, middle, first, last));
    }
    if (last > middle) {
      greatest = std::max(greatest, Greatest(2 * node + 1, middle, end, first, last));
    }
    return greatest;
  }
  void Raise(size_t node, int32_t begin, int32_t end, int32_t first, int32_t last, int64_t top) {
    nodes_[node].greatest = std::max(nodes_[node].greatest, top);
    if (first <= begin && end <= last) {
      nodes_[node].all = top;
      return;
    }
    const int32_t middle = begin + (end - begin) / 2;
    if (first < middle) Raise(2 * node, begin, middle, first, last, top);
    if (last > middle) Raise(2 * node + 1, middle, end, first, last, top);
  }

  int32_t sections_;
  std::vector<Node> nodes_;
};

}  // namespace

int64_t PartHeight(const Part& part, const std::vector<int64_t>& offsets) {
  int64_t height = 0;
  for (size_t i = 0; i < offsets.size(); ++i) {
    height = std::max(height, offsets[i] + part.items[i].size);
  }
  return height;
}

std::optional<PartPlan> FillGaps(const Part& part, const std::vector<int32_t>& order, Fit fit,
                                 int64_t give_up, int64_t most_runs, const Deadline& deadline) {
  PartPlan plan;
  plan.offsets.assign(part.items.size(), 0);
  Occupancy occupancy(static_cast<int32_t>(part.totals.size()));
  size_t placed = 0;
  for (const int32_t i : order) {
    if (++placed % 64 == 0 && deadline.HasPassed()) return std::nullopt;
    const Item& item = part.items[static_cast<size_t>(i)];
    const std::vector<Occupancy::Run>& taken = occupancy.Taken(item.first, item.last);
    most_runs -= static_cast<int64_t>(taken.size());
    if (most_runs < 0) return std::nullopt;
    const int64_t offset = FindOffset(taken, item, fit);
    plan.height = std::max(plan.height, offset + item.size);
    if (plan.height >= give_up) return std::nullopt;
    plan.offsets[static_cast<size_t>(i)] = offset;
    occupancy.Take(item.first, item.last, {offset, offset + item.size});
  }
  return plan;
}

std::optional<PartPlan> LowestFirst(const Part& part, const std::vector<int32_t>& order,
                                    int64_t give_up, const Deadline& deadline) {
  PartPlan plan;
  plan.offsets.assign(part.items.size(), 0);
  Skyline skyline(static_cast<int32_t>(part.totals.size()));
  using Entry = std::pair<int64_t, int32_t>;  // no less than its offset; place in the order
  std::vector<Entry> entries;
  entries.reserve(order.size());
  for (size_t k = 0; k < order.size(); ++k) entries.emplace_back(0, static_cast<int32_t>(k));
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue(std::greater<>(),
                                                                       std::move(entries));
  const size_t most = kMostLifts * order.size();
  for (size_t taken = 1; !queue.empty(); ++taken) {
    if (taken > most || (taken % 64 == 0 && deadline.HasPassed())) return std::nullopt;
    const auto [guess, place] = queue.top();
    queue.pop();
    const auto i = static_cast<size_t>(order[static_cast<size_t>(place)]);
    const Item& item = part.items[i];
    const int64_t offset = AlignUp(skyline.Greatest(item.first, item.last), item.alignment);
    if (offset > guess) {
      queue.emplace(offset, place);
      continue;
    }
    plan.offsets[i] = offset;
    skyline.Raise(item.first, item.last, offset + item.size);
    plan.height = std::max(plan.height, offset + item.size);
    if (plan.height >= give_up) return std::nullopt;
  }
  return plan;
}

}  // namespace plimsoll
