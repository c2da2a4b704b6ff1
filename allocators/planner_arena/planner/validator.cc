#include "allocators/planner_arena/planner/validator.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

namespace plimsoll {
namespace {

std::string Describe(const std::string& name, const Buffer& b, int64_t offset) {
  return name + " (lifetime [" + std::to_string(b.lower) + ", " + std::to_string(b.upper) +
         "), bytes [" + std::to_string(offset) + ", " + std::to_string(offset + b.size) + "))";
}

}  // namespace

Status ValidateOffsets(const std::vector<Buffer>& buffers, const std::vector<int64_t>& offsets,
                       int64_t capacity, const std::function<std::string(size_t)>& name) {
  const auto describe = [&](size_t i) {
    return Describe(name ? name(i) : "buffer " + std::to_string(i), buffers[i], offsets[i]);
  };
  if (offsets.size() != buffers.size()) {
    return Fail("plan: " + std::to_string(offsets.size()) + " offsets for " +
                std::to_string(buffers.size()) + " buffers");
  }
  struct Event {
    int64_t time;
    bool begins;
    size_t index;
  };
  std::vector<Event> events;
  events.reserve(2 * buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& b = buffers[i];
    if (offsets[i] < 0) return Fail("plan: " + describe(i) + ": negative offset");
    if (offsets[i] % b.alignment != 0) {
      return Fail("plan: " + describe(i) + ": offset is no multiple of " +
                  std::to_string(b.alignment));
    }
    if (b.size == 0) continue;
    if (b.size > capacity || offsets[i] > capacity - b.size) {
      return Fail("plan: " + describe(i) + ": beyond the capacity of " + std::to_string(capacity) +
                  " bytes");
    }
    events.push_back({b.lower, true, i});
    events.push_back({b.upper, false, i});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.time != b.time ? a.time < b.time : a.begins < b.begins;
  });
  // The buffers that are live now, by offset. They are disjoint, so a newcomer can only
  // collide with the one below it or the one above it.
  std::map<int64_t, size_t> live;
  for (const Event& event : events) {
    const size_t i = event.index;
    if (!event.begins) {
      live.erase(offsets[i]);
      continue;
    }
    const auto above = live.lower_bound(offsets[i]);
    if (above != live.end() && above->first < offsets[i] + buffers[i].size) {
      return Fail("plan: " + describe(i) + " overlaps " + describe(above->second));
    }
    if (above != live.begin()) {
      const auto below = std::prev(above);
      if (below->first + buffers[below->second].size > offsets[i]) {
        return Fail("plan: " + describe(i) + " overlaps " + describe(below->second));
      }
    }
    live.emplace(offsets[i], i);
  }
  return {};
}

}  // namespace plimsoll
