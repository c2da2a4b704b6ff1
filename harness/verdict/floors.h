#ifndef HARNESS_VERDICT_FLOORS_H_
#define HARNESS_VERDICT_FLOORS_H_

// Growth that survivors do not show: a block that is re-allocated, each time larger, is
// always young, and so is all of a queue, but the floor under its site rises. Pure functions;
// thread-safe.

#include <span>
#include <vector>

#include "harness/sample.h"
#include "harness/verdict/rule.h"
#include "harness/verdict/site_history.h"

namespace plimsoll {

// A site's bytes over one window between snapshots.
struct FloorWindow {
  double floor = 0;         // least seen in the window
  double before = 0;        // live when it began
  double live = 0;          // live when it ended
  double floor_blocks = 0;  // likewise, of its blocks
  double before_blocks = 0;
  double live_blocks = 0;
};

// Windows that end at the last snapshot and double in length, oldest first; the first one
// starts where the measured iterations do.
std::vector<FloorWindow> DoublingWindows(const Rule& rule, std::span<const Snapshot> snapshots,
                                         const SiteHistory& site);

// Whether, in the last two windows, nothing was given back, and the site grew in both, or by a
// quarter in the two and in no more blocks. Not yet a leak, but CLEAN must wait: what is
// re-allocated at up to four times its size shows as one step in four times the iterations.
bool FloorRises(const std::vector<FloorWindow>& windows);

// Whether a window gained at least 1.5 times as much as the window before, three times
// running, and the site never held less than when a window began, in no more blocks: growth
// in proportion to the iterations (or faster) by re-allocation. A level that wanders
// without growing passes "never less than when the window began" one time in ten per
// window, as the least of ten looks; growth by steps, as lazy initialisation, adds blocks.
bool FloorAccelerates(const std::vector<FloorWindow>& windows);

// The same of the floor of the number of blocks, however many: a queue that is drained, but filled
// faster. Proof only where old blocks are replaced and new ones come in all parts of the run;
// one-off initialisations also add up so.
bool StockAccelerates(const std::vector<FloorWindow>& windows);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_FLOORS_H_
