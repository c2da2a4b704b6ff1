#ifndef HARNESS_VERDICT_FLOORS_H_
#define HARNESS_VERDICT_FLOORS_H_

// Growth that survivors do not show: a block that is re-allocated, each time larger, is
// always young, but the floor under its site rises. Pure functions; thread-safe.

#include <span>
#include <vector>

#include "harness/sample.h"
#include "harness/verdict/rule.h"
#include "harness/verdict/site_history.h"

namespace plimsoll {

// A site's bytes over one window between snapshots.
struct FloorWindow {
  double floor = 0;        // least seen in the window
  double before = 0;       // live when it began
  double live = 0;         // live when it ended
  double live_blocks = 0;  // likewise
};

// Windows that end at the last snapshot and double in length, oldest first; the first one
// starts where the measured iterations do.
std::vector<FloorWindow> DoublingWindows(const Rule& rule, std::span<const Snapshot> snapshots,
                                         const SiteHistory& site);

// Whether the floor grew in each of the last two windows, gave nothing back, and the site
// held more at the very end. Not yet a leak, but CLEAN must wait.
bool FloorRises(const std::vector<FloorWindow>& windows);

// Whether the floor grew by at least 1.5 times as much as in the window before, three times
// running, and the site never held less than when a window began, in no more blocks: growth
// in proportion to the iterations (or faster) by re-allocation. A level that wanders
// without growing passes "never less than when the window began" one time in ten per
// window, as the least of ten looks; growth by steps, as lazy initialisation, adds blocks.
bool FloorAccelerates(const std::vector<FloorWindow>& windows);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_FLOORS_H_
