#include "harness/verdict/survivor_rule.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "harness/verdict/carving.h"
#include "harness/verdict/floors.h"
#include "harness/verdict/pattern.h"
#include "harness/verdict/statistics.h"

namespace plimsoll {
namespace {

constexpr uint32_t kLeastReplaced = 8;    // blocks, and a quarter of all, by a full cache
constexpr uint32_t kLeastEpochs = 24;     // counting ones, for the test of counts
constexpr uint32_t kLeastStillHeld = 8;   // epochs confirmed by the reference snapshot
constexpr uint32_t kDyingShare = 20;      // one in so many of the counting epochs may be dying
constexpr double kSlowingScore = -2.326;  // 1 % one-sided
constexpr double kPeriodShare = 0.25;     // of the level; the rest is for the counts
constexpr double kLateShare = 0.1;        // likewise, for the window that starts late

// A site at the look that is judged.
struct View {
  const Rule& rule;
  std::span<const Snapshot> snapshots;
  const SiteHistory& site;
  const std::vector<EpochSurvivors>& survivors;
  size_t now_index = 0;
  size_t reference_index = 0;  // the latest snapshot at or before half-way to the last
  uint32_t now = 0;            // iterations of the two
  uint32_t reference = 0;
};

// The latest snapshot at or before one `part`-th of the measured iterations, else the first.
size_t SnapshotIndex(const Rule& rule, std::span<const Snapshot> snapshots, uint32_t part) {
  const uint32_t iteration = rule.warmup + (snapshots.back().iteration - rule.warmup) / part;
  size_t index = 0;
  while (index + 1 < snapshots.size() && snapshots[index + 1].iteration <= iteration) ++index;
  return index;
}

View MakeView(const Rule& rule, std::span<const Snapshot> snapshots, const SiteHistory& site) {
  const size_t now_index = snapshots.size() - 1;
  const size_t reference = SnapshotIndex(rule, snapshots, 2);
  return {.rule = rule,
          .snapshots = snapshots,
          .site = site,
          .survivors = EpochsAt(site, now_index),
          .now_index = now_index,
          .reference_index = reference,
          .now = snapshots.back().iteration,
          .reference = snapshots[reference].iteration};
}

SiteOutcome Named(const SiteHistory& site) {
  SiteOutcome outcome;
  outcome.kind = site.kind;
  outcome.site = site.site;
  return outcome;
}

// The most epochs of ages [Rule::gap, gap) at any earlier snapshot that hold nothing now.
size_t SeenToDie(const View& view, uint32_t gap) {
  size_t most = 0;
  for (size_t i = 0; i < view.now_index; ++i) {
    const uint32_t then = view.snapshots[i].iteration;
    if (then <= view.rule.gap) continue;
    const uint32_t oldest = then > gap ? then - gap + 1 : 1;
    const std::vector<Fate> fates = FatesBetween(
        view.site, i, view.now_index, std::max(oldest, view.rule.warmup + 1), then - view.rule.gap);
    most = std::max<size_t>(most, std::count_if(fates.begin(), fates.end(), [](const Fate& fate) {
                              return fate.died == fate.blocks;
                            }));
  }
  return most;
}

struct Replacement {
  uint64_t died = 0;    // blocks older than the gap at the reference, gone since
  uint64_t stayed = 0;  // blocks that grew older than the gap since
};

Replacement CountReplacement(const View& view, uint32_t gap) {
  Replacement replacement;
  const uint32_t boundary = view.reference > gap ? view.reference - gap : 0;
  for (const Fate& fate :
       FatesBetween(view.site, view.reference_index, view.now_index, 0, boundary)) {
    replacement.died += fate.died;
  }
  replacement.stayed = HeldOf(view.survivors, boundary, view.now - gap).blocks;
  return replacement;
}

// Whether the site held exactly as many blocks at the reference as now, and at no floor point
// between fewer: noise of other churn would hide a leak.
bool LevelSince(const View& view) {
  const SiteSurvivors* then = view.site.at[view.reference_index];
  const SiteSurvivors* now = view.site.at[view.now_index];
  if (then == nullptr || now->live_blocks != then->live_blocks) return false;
  for (size_t i = view.reference_index + 1; i <= view.now_index; ++i) {
    const SiteSurvivors* site = view.site.at[i];
    if (site == nullptr || site->floor_blocks != now->live_blocks) return false;
  }
  return true;
}

// Fills in the outcome and returns true when the site is quiet.
bool ExamineQuiet(const View& view, SiteOutcome& outcome) {
  const uint32_t start = view.rule.warmup;
  const uint32_t nominal = view.now - view.rule.gap - start;
  const std::vector<uint32_t> all = Positions(view.survivors, start, view.now - view.rule.gap);
  for (uint32_t gap = view.rule.gap; view.now >= gap + start; gap *= 2) {
    const uint32_t judged = view.now - gap - start;
    if (judged * 2 < nominal) break;
    const std::vector<uint32_t> old = Positions(view.survivors, start, view.now - gap);
    if (CountAbove(old, judged / 2) > 0) continue;
    if (gap > view.rule.gap) {
      const size_t seen_to_die = SeenToDie(view, gap);
      if (seen_to_die == 0 || all.size() - old.size() > 2 * seen_to_die + 2) continue;
    }
    outcome.quiet = true;
    outcome.gap = gap;
    outcome.judged = judged;
    outcome.first_half = static_cast<uint32_t>(old.size());
    outcome.quiet_epochs = old.empty() ? judged : judged - judged / 2;
    return true;
  }
  if (!LevelSince(view)) return false;
  const Replacement replacement = CountReplacement(view, view.rule.gap);
  if (replacement.died < replacement.stayed) return false;
  outcome.quiet = true;
  outcome.judged = nominal;
  outcome.second_half = CountAbove(all, nominal / 2);
  outcome.first_half = static_cast<uint32_t>(all.size()) - outcome.second_half;
  outcome.quiet_epochs = view.now - view.reference;
  return true;
}

uint32_t Dying(const std::vector<Fate>& fates, uint32_t newest) {
  return static_cast<uint32_t>(std::count_if(fates.begin(), fates.end(), [&](const Fate& fate) {
    return fate.died > 0 && fate.epoch <= newest;
  }));
}

// The gap beyond which hardly anything dies; absent when none leaves half the epochs.
std::optional<uint32_t> SettledGap(const View& view, const std::vector<Fate>& fates,
                                   uint32_t start) {
  for (uint32_t gap = view.rule.gap; view.now >= gap + start; gap *= 2) {
    const uint32_t judged = view.now - gap - start;
    if (judged * 2 < view.now - view.rule.gap - start) break;
    // A quarter of them old enough at the reference to have shown whether such blocks die.
    if (view.reference < gap + start || (view.reference - gap - start) * 4 < judged) break;
    const size_t counting = Positions(view.survivors, start, view.now - gap).size();
    if (size_t{Dying(fates, view.reference - gap)} * kDyingShare <= counting) return gap;
  }
  return std::nullopt;
}

uint64_t Hash(const std::vector<uint32_t>& positions, uint32_t gap) {
  uint64_t hash = 14695981039346656037ull ^ gap;  // FNV-1a
  for (const uint32_t position : positions) hash = (hash ^ position) * 1099511628211ull;
  return hash;
}

// Per iteration over the epochs after `from`, up to `end`: a whole number of periods.
void MeasureRate(const View& view, uint32_t from, uint32_t end, SiteOutcome& outcome) {
  const uint32_t period = outcome.period.value_or(1);
  const uint32_t width = (end - from) / period * period;
  if (width == 0) return;
  const HeldCount held = HeldOf(view.survivors, end - width, end);
  outcome.bytes_per_iteration = static_cast<double>(held.bytes) / width;
  outcome.blocks_per_iteration = static_cast<double>(held.blocks) / width;
}

// The two tests, once their common conditions hold.
void Test(const View& view, const std::vector<uint32_t>& positions,
          const std::optional<Period>& period, SiteOutcome& outcome) {
  const uint32_t half = outcome.judged / 2;
  if (outcome.still_held < kLeastStillHeld || outcome.second_half == 0 ||
      Stopped(positions, outcome.judged, half)) {
    return;
  }
  const Replacement replacement = CountReplacement(view, outcome.gap);
  if (replacement.died * 2 > replacement.stayed) return;
  const uint32_t discount = 2 * outcome.dying;
  if (period && period->slots > discount) {
    outcome.period_p_value =
        std::min(1.0, std::exp2(period->search_bits + discount - period->slots) / kPeriodShare);
  }
  outcome.p_value = outcome.period_p_value;
  const uint32_t second = outcome.second_half - std::min(outcome.second_half, discount);
  if (outcome.first_half + second >= kLeastEpochs && !outcome.slowing &&
      Persists(positions, outcome.judged, half)) {
    // Half the first half's rate: 1/3 of the epochs when the halves are equally long.
    const double second_length = outcome.judged - half;
    const double share = second_length / (2.0 * half + second_length);
    const double counts = BinomialUpperTail(outcome.first_half + second, share, second);
    outcome.p_value = std::min(outcome.p_value, counts / (1 - kPeriodShare));
  }
}

// What the epochs after `start` show; evidence only when `proves`.
SiteOutcome ExamineWindow(const View& view, uint32_t start, bool proves) {
  SiteOutcome outcome = Named(view.site);
  const std::vector<Fate> fates =
      FatesBetween(view.site, view.reference_index, view.now_index, start + 1,
                   view.reference > view.rule.gap ? view.reference - view.rule.gap : 0);
  const std::optional<uint32_t> settled = SettledGap(view, fates, start);
  outcome.gap = settled.value_or(view.rule.gap);
  const uint32_t end = view.now - outcome.gap;
  outcome.judged = end - start;
  const uint32_t half = outcome.judged / 2;
  const std::vector<uint32_t> positions = Positions(view.survivors, start, end);
  outcome.second_half = CountAbove(positions, half);
  outcome.first_half = static_cast<uint32_t>(positions.size()) - outcome.second_half;
  if (positions.empty()) return outcome;
  outcome.epochs_hash = Hash(positions, end);
  for (const Fate& fate : fates) {
    if (fate.epoch + outcome.gap <= view.reference) outcome.still_held += fate.died < fate.blocks;
  }
  outcome.dying = view.reference > outcome.gap ? Dying(fates, view.reference - outcome.gap) : 0;

  Shape shape;
  shape.slowing = PositionScore(positions, outcome.judged) < kSlowingScore;
  // Late: were survivors even, none before the first would be a one in 1,000 chance.
  shape.late = static_cast<double>(positions.size()) *
                   std::log1p(-(positions.front() - 1.0) / outcome.judged) <
               std::log(1e-3);
  const std::optional<Period> period = FindPeriod(positions, outcome.judged, half);
  if (period && std::exp2(period->search_bits - period->slots) <= view.rule.level) {
    shape.period = period->length;
  }
  outcome.slowing = shape.slowing;
  outcome.period = shape.period;
  if (proves && settled) Test(view, positions, period, outcome);
  MeasureRate(view, start + std::max(half, shape.late ? positions.front() - 1 : 0), end, outcome);
  outcome.pattern = DescribePattern(shape, positions, outcome.judged, start);
  return outcome;
}

// The block is reborn each time: what the site gained since the reference.
void DescribeReallocation(const View& view, const std::vector<FloorWindow>& windows,
                          SiteOutcome& outcome) {
  outcome.bytes_per_iteration = (windows.back().live - windows.back().before) /
                                static_cast<double>(view.now - view.reference);
  outcome.blocks_per_iteration = 0;
  outcome.pattern = "re-allocated, each time larger";
}

// Whether the site turns over and yet gains blocks in all parts of the run.
bool IsOvertaken(const View& view, const std::vector<FloorWindow>& windows) {
  if (!StockAccelerates(windows)) return false;
  const uint32_t boundary = view.reference > view.rule.gap ? view.reference - view.rule.gap : 0;
  const uint64_t old = HeldOf(EpochsAt(view.site, view.reference_index), 0, boundary).blocks;
  if (CountReplacement(view, view.rule.gap).died * 2 < old) return false;
  const uint32_t judged = view.now - view.rule.gap - view.rule.warmup;
  const std::vector<uint32_t> positions =
      Positions(view.survivors, view.rule.warmup, view.now - view.rule.gap);
  return positions.size() >= kLeastEpochs && Persists(positions, judged, judged / 2);
}

// Growth that the tests of survivors do not prove; fills in its rate and pattern.
bool ProveOtherwise(const View& view, const std::vector<FloorWindow>& windows,
                    SiteOutcome& outcome) {
  if (FloorAccelerates(windows)) {
    DescribeReallocation(view, windows, outcome);
    return true;
  }
  if (IsOvertaken(view, windows)) {
    DescribeReallocation(view, windows, outcome);
    outcome.blocks_per_iteration = (windows.back().live_blocks - windows.back().before_blocks) /
                                   static_cast<double>(view.now - view.reference);
    outcome.pattern = "more come than go, and the oldest go first";
    // Of what came since, as none of before is left to show it.
    const uint32_t since = view.now - view.rule.gap - view.reference;
    const std::vector<uint32_t> positions =
        Positions(view.survivors, view.reference, view.reference + since);
    const std::optional<Period> period = FindPeriod(positions, since, since / 2);
    if (period && std::exp2(period->search_bits - period->slots) <= view.rule.level) {
      outcome.period = period->length;
    }
    return true;
  }
  if (outcome.dying > 0) return false;
  const std::optional<double> rate =
      CarvingRate(view.survivors, view.rule.warmup, view.now - view.rule.gap);
  if (!rate) return false;
  outcome.bytes_per_iteration = *rate;
  outcome.pattern = "in ever larger blocks, each when the one before is used up";
  return true;
}

// A counter of a site from a quarter of the run on.
struct Wander {
  uint64_t begin = 0;   // at the quarter
  uint64_t before = 0;  // at the reference
  uint64_t now = 0;
  uint64_t lowest = UINT64_MAX;

  // Only the lowest is seen often, so the range is twice the way down to it from the two levels
  // of the first half. A leak of the second half lifts `now` alone.
  double Range() const {
    const double middle = (static_cast<double>(begin) + static_cast<double>(before)) / 2;
    return 2 * std::max(0.0, middle - static_cast<double>(lowest));
  }
  double Rise() const { return now > before ? static_cast<double>(now - before) : 0; }
};

// level_bytes_per_iteration: what came since the reference, by a leak as well, is at most what
// the site rose by and what a cache that wanders by that much may have lost, twice.
std::optional<double> LevelOf(const View& view) {
  const size_t quarter = SnapshotIndex(view.rule, view.snapshots, 4);
  if (quarter >= view.reference_index) return std::nullopt;
  Wander blocks;
  Wander bytes;
  for (size_t i = quarter; i <= view.now_index; ++i) {
    const SiteSurvivors* site = view.site.at[i];
    if (site == nullptr) return std::nullopt;
    // A snapshot's floor is that of the time before it.
    const bool first = i == quarter;
    blocks.lowest = std::min(blocks.lowest, first ? site->live_blocks : site->floor_blocks);
    bytes.lowest = std::min(bytes.lowest, first ? site->live_bytes : site->floor_bytes);
    const auto at = first                       ? &Wander::begin
                    : i == view.reference_index ? &Wander::before
                                                : &Wander::now;
    blocks.*at = site->live_blocks;
    bytes.*at = site->live_bytes;
  }
  const uint64_t died = CountReplacement(view, view.rule.gap).died;
  if (died < std::max<uint64_t>(kLeastReplaced, blocks.before / 4)) return std::nullopt;
  // As many come as go: two counts of that size differ by chance alone, and in bytes by what
  // the sizes differ besides.
  const double chance = 2 * std::sqrt(2.0 * static_cast<double>(died));
  const double block_bytes =
      static_cast<double>(bytes.before) / static_cast<double>(std::max<uint64_t>(1, blocks.before));
  const double wander = std::max(blocks.Range(), chance);
  const double wander_bytes = std::max(bytes.Range(), 1.5 * chance * block_bytes);
  if (blocks.Rise() > wander || bytes.Rise() > wander_bytes) return std::nullopt;
  return (bytes.Rise() + 2 * wander_bytes) / (view.now - view.reference);
}

}  // namespace

SiteOutcome ExamineSite(const Rule& rule, std::span<const Snapshot> snapshots,
                        const SiteHistory& site) {
  const View view = MakeView(rule, snapshots, site);
  const std::vector<FloorWindow> windows = DoublingWindows(rule, snapshots, site);
  const bool rises = FloorRises(windows);
  if (!rises) {
    SiteOutcome quiet = Named(site);
    quiet.gap = rule.gap;
    if (ExamineQuiet(view, quiet)) return quiet;
  }

  // While the inputs are still new, survivors are described but are no evidence.
  const uint32_t repeats_after = rule.warmup + rule.input_cycle;
  const bool repeats = view.now >= repeats_after + rule.first_look;
  SiteOutcome outcome = ExamineWindow(view, repeats ? repeats_after : rule.warmup, repeats);
  if (outcome.first_half + outcome.second_half == 0) {
    outcome = ExamineWindow(view, rule.warmup, false);
  }
  outcome.p_value /= 1 - kLateShare;
  outcome.period_p_value /= 1 - kLateShare;
  const uint32_t quarter = snapshots[SnapshotIndex(rule, snapshots, 4)].iteration;
  if (repeats && quarter > repeats_after) {
    SiteOutcome late = ExamineWindow(view, quarter, true);
    late.p_value /= kLateShare;
    late.period_p_value /= kLateShare;
    if (late.p_value < outcome.p_value) outcome = late;
  }
  outcome.p_value = std::min(1.0, outcome.p_value);
  outcome.period_p_value = std::min(1.0, outcome.period_p_value);

  const bool may_prove = repeats && view.reference >= repeats_after;
  outcome.proven =
      outcome.p_value > rule.level && may_prove && ProveOtherwise(view, windows, outcome);
  if (rises && !outcome.proven && outcome.second_half <= 1)
    DescribeReallocation(view, windows, outcome);
  if (!rises && may_prove) outcome.level_bytes_per_iteration = LevelOf(view);
  return outcome;
}

}  // namespace plimsoll
