#include "allocators/planner_arena/planner/occupancy.h"

#include <algorithm>
#include <bit>

namespace plimsoll {
namespace {

// Sections that share a leaf: most lifetimes are short, and a node for each section would
// be mostly empty.
constexpr int32_t kBlock = 16;

// Adds a run to disjoint ones, joining what touches or overlaps it.
void Join(std::vector<Occupancy::Run>& runs, Occupancy::Run run) {
  auto from = std::lower_bound(runs.begin(), runs.end(), run.first,
                               [](const Occupancy::Run& r, int64_t at) { return r.second < at; });
  auto to = from;
  while (to != runs.end() && to->first <= run.second) {
    run.first = std::min(run.first, to->first);
    run.second = std::max(run.second, to->second);
    ++to;
  }
  if (from == to) {
    runs.insert(from, run);
    return;
  }
  *from = run;
  runs.erase(from + 1, to);
}

}  // namespace

Occupancy::Occupancy(int32_t sections)
    : blocks_((sections + kBlock - 1) / kBlock),
      nodes_(2 * std::bit_ceil(static_cast<size_t>(blocks_))),
      entries_(static_cast<size_t>(blocks_)) {}

const std::vector<Occupancy::Run>& Occupancy::Taken(int32_t first, int32_t last) {
  found_.clear();
  Collect(1, 0, blocks_, first, last);
  std::sort(found_.begin(), found_.end());
  return found_;
}

void Occupancy::Take(int32_t first, int32_t last, Run run) {
  Insert(1, 0, blocks_, first, last, run);
}

void Occupancy::Collect(size_t node, int32_t begin, int32_t end, int32_t first, int32_t last) {
  const Node& here = nodes_[node];
  if (here.somewhere.empty()) return;
  if (first <= begin * kBlock && end * kBlock <= last) {
    found_.insert(found_.end(), here.somewhere.begin(), here.somewhere.end());
    return;
  }
  found_.insert(found_.end(), here.throughout.begin(), here.throughout.end());
  if (end - begin == 1) {
    for (const Entry& entry : entries_[static_cast<size_t>(begin)]) {
      if (entry.first < last && first < entry.last) found_.push_back(entry.run);
    }
    return;
  }
  const int32_t middle = begin + (end - begin) / 2;
  if (first < middle * kBlock) Collect(2 * node, begin, middle, first, last);
  if (last > middle * kBlock) Collect(2 * node + 1, middle, end, first, last);
}

void Occupancy::Insert(size_t node, int32_t begin, int32_t end, int32_t first, int32_t last,
                       Run run) {
  Join(nodes_[node].somewhere, run);
  if (first <= begin * kBlock && end * kBlock <= last) {
    Join(nodes_[node].throughout, run);
    return;
  }
  if (end - begin == 1) {
    entries_[static_cast<size_t>(begin)].push_back({first, last, run});
    return;
  }
  const int32_t middle = begin + (end - begin) / 2;
  if (first < middle * kBlock) Insert(2 * node, begin, middle, first, last, run);
  if (last > middle * kBlock) Insert(2 * node + 1, middle, end, first, last, run);
}

}  // namespace plimsoll
