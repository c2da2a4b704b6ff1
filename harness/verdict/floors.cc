#include "harness/verdict/floors.h"

#include <algorithm>
#include <cstddef>

namespace plimsoll {
namespace {

constexpr size_t kGrowthWindows = 4;  // four floors above a first: three growths of growth
constexpr double kGrowthRatio = 1.5;
// A budget need not be a power of two: windows may be a tenth short of double.
constexpr double kDouble = 1.9;

double Bytes(const SiteSurvivors* site) {
  return site == nullptr ? 0 : static_cast<double>(site->live_bytes);
}

double FloorBytes(const SiteSurvivors* site) {
  return site == nullptr ? 0 : static_cast<double>(site->floor_bytes);
}

double Blocks(const SiteSurvivors* site) {
  return site == nullptr ? 0 : static_cast<double>(site->live_blocks);
}

// Nothing of what was held when each of the last `count` windows began was given back.
bool GaveNothingBack(const std::vector<FloorWindow>& windows, size_t count) {
  return windows.size() > count &&
         std::all_of(windows.end() - static_cast<ptrdiff_t>(count), windows.end(),
                     [](const FloorWindow& window) { return window.floor >= window.before; });
}

}  // namespace

std::vector<FloorWindow> DoublingWindows(const Rule& rule, std::span<const Snapshot> snapshots,
                                         const SiteHistory& site) {
  std::vector<FloorWindow> windows;
  size_t end = snapshots.size();  // one past the window's last snapshot
  while (end > 0 && windows.size() <= kGrowthWindows) {
    const SiteSurvivors* last = site.at[end - 1];
    const double length = snapshots[end - 1].iteration - rule.warmup;
    FloorWindow window = {
        .floor = FloorBytes(last), .live = Bytes(last), .live_blocks = Blocks(last)};
    size_t begin = end - 1;
    while (begin > 0 && (snapshots[begin - 1].iteration - rule.warmup) * kDouble > length) {
      --begin;
      window.floor = std::min(window.floor, FloorBytes(site.at[begin]));
    }
    window.before = begin == 0 ? window.floor : Bytes(site.at[begin - 1]);
    windows.push_back(window);
    end = begin;
  }
  std::reverse(windows.begin(), windows.end());
  return windows;
}

bool FloorRises(const std::vector<FloorWindow>& windows) {
  if (!GaveNothingBack(windows, 2)) return false;
  const FloorWindow* last = &windows.back();
  return last->live > last->before && last[0].floor > last[-1].floor &&
         last[-1].floor > last[-2].floor;
}

bool FloorAccelerates(const std::vector<FloorWindow>& windows) {
  if (!GaveNothingBack(windows, kGrowthWindows)) return false;
  double previous = windows[1].floor - windows[0].floor;
  if (previous <= 0) return false;
  for (size_t i = 2; i <= kGrowthWindows; ++i) {
    const double increment = windows[i].floor - windows[i - 1].floor;
    if (increment < kGrowthRatio * previous) return false;
    previous = increment;
  }
  return windows.back().live > windows.back().before &&
         windows.back().live_blocks <= windows.front().live_blocks + 1;
}

}  // namespace plimsoll
