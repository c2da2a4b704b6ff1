#ifndef HARNESS_VERDICT_SURVIVOR_RULE_H_
#define HARNESS_VERDICT_SURVIVOR_RULE_H_

// The rule for exact counters, on one site: does what outlives its iteration go on
// accumulating? Pure functions; thread-safe.
//
// An epoch counts when something born in it is still held `gap` epochs later. X1 and X2 are
// the counting epochs of the first and second half of the judged ones.
//
// A site is QUIET when X2 = 0 and its floor is flat. Where blocks die old (a ring, a
// sawtooth), the gap may be doubled as long as the younger survivors are no more than were
// seen to die at such ages, and half the epochs are left. It is also quiet when it holds
// exactly as many blocks as half-way back, never fewer between, and at least as many old ones
// died as new ones stayed (a full cache that replaces).
//
// Otherwise two windows are judged, with 9/10 and 1/10 of the level: all epochs after warm-up,
// and those after the snapshot at a quarter of the iterations, so that a leak shows at a
// site where something else filled up first. The null hypothesis is that survivors appear in the
// second half at most half as often as in the first: a structure that is filling up. p_value is the
// least of two tests, with 3/4 and 1/4 of the level:
//  - counts: P(Bin(X1 + X2, 1/3) >= X2), for at least 24 counting epochs that cover at least
//    seven eighths of the second half and do not come early (rank sum, 1 %);
//  - a regular period: every k-th epoch, in one phase, of both halves counts. If each of the
//    n such slots of the second half had a chance of at most 1/2, all would have 2^-n; the
//    search for k and phase is paid for as FindPeriod says.
// Either needs confirmation: at least eight epochs whose survivors were seen at the reference
// snapshot, about half-way, are still held, so a ring or sawtooth of recent epochs is none;
// fewer old blocks died since then than half of the new that stayed; and there is no silence
// at the end that would be a 1 in 1,000 chance, as when a structure has just filled up. Where
// blocks die old, the gap is doubled until the dying epochs are at most a twentieth of the counting
// ones; twice their number is taken off X2, and off n.
//
// What no rule can tell from a leak: a structure that fills by a block in nearly every
// iteration and is not full after first_look of them (operating_characteristics prints how
// likely the rule is to call it a leak, by capacity). For those there are Rule::bounds,
// Rule::input_cycle, a clear hook before snapshots, and a larger first_look.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "harness/sample.h"
#include "harness/verdict/rule.h"
#include "harness/verdict/site_history.h"

namespace plimsoll {

struct SiteOutcome {
  ResourceKind kind = ResourceKind::kHeap;
  uint32_t site = 0;
  uint32_t gap = 0;          // at least Rule::gap
  uint32_t judged = 0;       // epochs between warm-up (or the first input cycle) and the gap
  uint32_t first_half = 0;   // X1
  uint32_t second_half = 0;  // X2
  uint32_t still_held = 0;   // epochs confirmed by the reference snapshot
  uint32_t dying = 0;        // epochs older than the gap that lost blocks since then
  bool quiet = false;
  uint32_t quiet_epochs = 0;  // when quiet: in a row, up to the gap, without survivors
  // Of a full cache that replaces what it holds, so that some survive for long though their
  // number only wanders: growth in bytes per iteration above this would have shown. A site's
  // level now was then as likely the lowest as any of some 20 before (95 %).
  std::optional<double> level_bytes_per_iteration;
  // Under the null hypothesis; 1 unless confirmed. Not corrected for looks and sites.
  double p_value = 1;
  double period_p_value = 1;  // of the second test alone
  uint64_t epochs_hash = 0;   // equal for sites whose survivors come from the same epochs
  // A leak by FloorAccelerates, StockAccelerates (where half of the old blocks of half-way
  // are gone, and at least 24 epochs count, in all parts of the second half) or CarvingRate.
  bool proven = false;
  std::optional<uint32_t> period;  // survivors in every k-th epoch
  bool slowing = false;            // survivors come earlier than chance allows
  double bytes_per_iteration = 0;  // over the second half, or since a late onset
  double blocks_per_iteration = 0;
  std::string pattern;  // "every 7th iteration", "one step, at iteration 300" …
};

// Judges `site` at the last of `snapshots`, which must be at one of DecisionLooks(rule).
SiteOutcome ExamineSite(const Rule& rule, std::span<const Snapshot> snapshots,
                        const SiteHistory& site);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SURVIVOR_RULE_H_
