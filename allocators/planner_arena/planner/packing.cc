#include "allocators/planner_arena/planner/packing.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace plimsoll {
namespace {

// The greatest unit that divides all sizes and every alignment that matters: offsets are
// sums of sizes, rounded up to alignments.
int64_t UnitOf(const std::vector<Buffer>& buffers) {
  int64_t unit = 0;
  for (const Buffer& b : buffers) unit = std::gcd(unit, b.size);
  if (unit == 0) return 1;
  int64_t all = unit;
  for (const Buffer& b : buffers) {
    if (b.size > 0 && unit % b.alignment != 0) all = std::gcd(all, b.alignment);
  }
  return all;
}

struct Event {
  int64_t time;
  int32_t buffer;
  bool begins;
};

// Ends sort before begins: a range excludes its end.
std::vector<Event> EventsOf(const std::vector<Buffer>& buffers) {
  std::vector<Event> events;
  events.reserve(2 * buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].size == 0) continue;
    const int32_t id = static_cast<int32_t>(i);
    events.push_back({buffers[i].lower, id, true});
    events.push_back({buffers[i].upper, id, false});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    if (a.time != b.time) return a.time < b.time;
    if (a.begins != b.begins) return a.begins < b.begins;
    return a.buffer < b.buffer;
  });
  return events;
}

void SumTotals(Part& part, int32_t sections) {
  part.totals.assign(static_cast<size_t>(sections) + 1, 0);
  for (const Item& item : part.items) {
    part.totals[static_cast<size_t>(item.first)] += item.size;
    part.totals[static_cast<size_t>(item.last)] -= item.size;
  }
  std::partial_sum(part.totals.begin(), part.totals.end(), part.totals.begin());
  part.totals.pop_back();
  part.lower_bound = *std::max_element(part.totals.begin(), part.totals.end());
}

}  // namespace

Packing MakePacking(const std::vector<Buffer>& buffers) {
  Packing packing;
  packing.unit = UnitOf(buffers);
  std::vector<int32_t> item_of(buffers.size(), -1);
  Part part;
  int32_t section = 0;
  size_t live = 0;
  bool grew = false;  // a buffer began since the last section was closed
  for (const Event& event : EventsOf(buffers)) {
    const auto id = static_cast<size_t>(event.buffer);
    if (event.begins) {
      const Buffer& b = buffers[id];
      item_of[id] = static_cast<int32_t>(part.items.size());
      const int64_t aligned = std::gcd(b.alignment, packing.unit);
      part.items.push_back(
          {section, section, b.size / packing.unit, b.alignment / aligned, b.upper - b.lower});
      part.ids.push_back(event.buffer);
      grew = true;
      ++live;
      continue;
    }
    // The first end after a begin closes a maximal live set.
    if (grew) ++section;
    grew = false;
    part.items[static_cast<size_t>(item_of[id])].last = section;
    if (--live > 0) continue;
    SumTotals(part, section);
    packing.parts.push_back(std::move(part));
    part = Part();
    section = 0;
  }
  return packing;
}

}  // namespace plimsoll
