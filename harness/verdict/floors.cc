#include "harness/verdict/floors.h"

#include <algorithm>
#include <cstddef>

namespace plimsoll {
namespace {

constexpr size_t kGrowthWindows = 4;  // four levels above a first: three growths of growth
constexpr double kGrowthRatio = 1.5;
constexpr double kLarger = 1.25;
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

double FloorBlocks(const SiteSurvivors* site) {
  return site == nullptr ? 0 : static_cast<double>(site->floor_blocks);
}

// Whether each growth from window to window is at least kGrowthRatio times the one before.
bool Accelerates(const std::vector<FloorWindow>& windows, double FloorWindow::*level) {
  double previous = windows[1].*level - windows[0].*level;
  if (previous <= 0) return false;
  for (size_t i = 2; i <= kGrowthWindows; ++i) {
    const double increment = windows[i].*level - windows[i - 1].*level;
    if (increment < kGrowthRatio * previous) return false;
    previous = increment;
  }
  return true;
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
    FloorWindow window = {.floor = FloorBytes(last),
                          .live = Bytes(last),
                          .floor_blocks = FloorBlocks(last),
                          .live_blocks = Blocks(last)};
    size_t begin = end - 1;
    while (begin > 0 && (snapshots[begin - 1].iteration - rule.warmup) * kDouble > length) {
      --begin;
      window.floor = std::min(window.floor, FloorBytes(site.at[begin]));
      window.floor_blocks = std::min(window.floor_blocks, FloorBlocks(site.at[begin]));
    }
    window.before = begin == 0 ? window.floor : Bytes(site.at[begin - 1]);
    window.before_blocks = begin == 0 ? window.floor_blocks : Blocks(site.at[begin - 1]);
    windows.push_back(window);
    end = begin;
  }
  std::reverse(windows.begin(), windows.end());
  return windows;
}

bool FloorRises(const std::vector<FloorWindow>& windows) {
  if (!GaveNothingBack(windows, 2)) return false;
  const FloorWindow& last = windows.back();
  const FloorWindow& before = windows[windows.size() - 2];
  if (last.live > last.before && before.live > before.before) return true;
  return last.live > before.before && last.live >= kLarger * before.before &&
         last.live_blocks <= before.before_blocks;
}

bool FloorAccelerates(const std::vector<FloorWindow>& windows) {
  return GaveNothingBack(windows, kGrowthWindows) && Accelerates(windows, &FloorWindow::live) &&
         windows.back().live_blocks <= windows.front().live_blocks + 1;
}

bool StockAccelerates(const std::vector<FloorWindow>& windows) {
  return windows.size() > kGrowthWindows &&
         std::all_of(windows.begin() + 1, windows.end(),
                     [](const FloorWindow& window) {
                       return window.floor_blocks >= window.before_blocks;
                     }) &&
         Accelerates(windows, &FloorWindow::floor_blocks) &&
         windows.back().live_blocks > windows.back().before_blocks;
}

}  // namespace plimsoll
