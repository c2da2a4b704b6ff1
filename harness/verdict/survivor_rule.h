#ifndef HARNESS_VERDICT_SURVIVOR_RULE_H_
#define HARNESS_VERDICT_SURVIVOR_RULE_H_

// The rule for exact counters, on one site: does what survives its own iteration go on
// accumulating? Pure functions; thread-safe.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/sample.h"
#include "harness/verdict/rule.h"

namespace plimsoll {

// One site over all snapshots of a run so far.
struct SiteHistory {
  ResourceKind kind = ResourceKind::kHeap;
  uint32_t site = 0;
  // Parallel to the snapshots; null where the site held nothing.
  std::vector<const SiteSurvivors*> at;
};

// What the rule sees at a site. Counts are of epochs, not of blocks: an epoch counts when
// something born in it is still held `gap` epochs later.
struct SiteOutcome {
  ResourceKind kind = ResourceKind::kHeap;
  uint32_t site = 0;
  uint32_t gap = 0;         // at least Rule::gap; longer where blocks were seen to die old
  uint32_t judged = 0;      // epochs between warm-up (or the first input cycle) and the gap
  uint32_t first_half = 0;  // of them with survivors
  uint32_t second_half = 0;
  uint32_t still_held = 0;    // seen with survivors at the reference snapshot, and still so
  uint32_t died = 0;          // lost survivors since the reference snapshot, older than gap
  bool quiet = false;         // no survivors in the second half and a flat floor
  uint32_t quiet_epochs = 0;  // when quiet: epochs in a row, up to the gap, without survivors
  // Probability of so much, had the rate of the second half been half the first's or less.
  // 1 unless the survivors also pass the rule's other conditions.
  double p_value = 1;
  uint64_t epochs_hash = 0;        // equal for sites whose survivors come from the same epochs
  bool reallocated = false;        // the floor itself grows like a block that is re-allocated
  std::optional<uint32_t> period;  // survivors from every k-th iteration
  std::optional<uint32_t> onset;   // first such iteration, when it is conspicuously late
  bool slowing = false;            // survivors come earlier than chance allows: saturating
  double bytes_per_iteration = 0;  // over the second half, or since the onset
  double blocks_per_iteration = 0;
  std::string pattern;  // "every 7th iteration", "one step at iteration 300" …
};

// Judges `site` at the last of `snapshots`, which must be at one of DecisionLooks(rule).
//
// Per site the null hypothesis is: in the second half of the judged epochs survivors appear
// at most half as often as in the first (a structure that is filling up). p_value is the
// least of two tests, their levels in the ratio 3:1:
//  - counts: P(Bin(X1 + X2, 1/3) >= X2), for at least 24 epochs with survivors, spread over
//    at least seven eighths of the second half, and not coming significantly early;
//  - a regular period: every k-th epoch of both halves has survivors. Had each slot of the
//    second half a chance of at most 1/2, all n of them would have 2^-n; the search over k
//    and its k phases multiplies that by k * k (k + 1), whose inverses sum to at most 1.
// Either needs eight epochs whose survivors were seen at the reference snapshot (about
// half-way) and are still held: a ring or a sawtooth holds only recent epochs. Where blocks
// older than the gap were seen to die, the gap is doubled until the dying are at most a
// twentieth of what is counted; twice their number is taken off the second half.
SiteOutcome ExamineSite(const Rule& rule, std::span<const Snapshot> snapshots,
                        const SiteHistory& site);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SURVIVOR_RULE_H_
