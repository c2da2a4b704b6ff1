#include "harness/verdict/survivor_rule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "harness/verdict/statistics.h"

namespace plimsoll {
namespace {

constexpr uint32_t kLeastEpochs = 24;     // with survivors, for the test of counts
constexpr uint32_t kLeastStillHeld = 8;   // epochs confirmed by the reference snapshot
constexpr uint32_t kParts = 8;            // of the second half
constexpr uint32_t kLeastParts = 7;       // of them with survivors
constexpr uint32_t kDyingShare = 20;      // one in so many of the counted epochs may be dying
constexpr double kSlowingScore = -2.326;  // 1 % one-sided
constexpr double kCountsShare = 0.75;     // of the level; the rest is for the period search
constexpr size_t kGrowthWindows = 4;      // floors over doubling windows
constexpr double kGrowthRatio = 1.5;      // of one window's increment to the one before

const std::vector<EpochSurvivors>& EpochsAt(const SiteHistory& site, size_t index) {
  static const std::vector<EpochSurvivors> kNone;
  return site.at[index] == nullptr ? kNone : site.at[index]->epochs;
}

uint64_t BlocksOf(const std::vector<EpochSurvivors>& epochs, uint32_t epoch) {
  const auto found =
      std::lower_bound(epochs.begin(), epochs.end(), epoch,
                       [](const EpochSurvivors& e, uint32_t wanted) { return e.epoch < wanted; });
  return found != epochs.end() && found->epoch == epoch ? found->blocks : 0;
}

// The latest snapshot at or before half-way to the last.
size_t ReferenceIndex(const Rule& rule, std::span<const Snapshot> snapshots) {
  const uint32_t half = rule.warmup + (snapshots.back().iteration - rule.warmup) / 2;
  size_t index = 0;
  while (index + 1 < snapshots.size() && snapshots[index + 1].iteration <= half) ++index;
  return index;
}

// An epoch with survivors at one snapshot and what became of it by the next one compared.
struct Fate {
  uint32_t epoch = 0;
  bool shrank = false;  // fewer blocks than before
  bool gone = false;    // none
};

std::vector<Fate> FatesBetween(const SiteHistory& site, size_t from, size_t to, uint32_t first,
                               uint32_t last) {
  std::vector<Fate> fates;
  const std::vector<EpochSurvivors>& later = EpochsAt(site, to);
  for (const EpochSurvivors& survivors : EpochsAt(site, from)) {
    if (survivors.epoch < first || survivors.epoch > last || survivors.blocks == 0) continue;
    const uint64_t now = BlocksOf(later, survivors.epoch);
    fates.push_back({.epoch = survivors.epoch, .shrank = now < survivors.blocks, .gone = now == 0});
  }
  return fates;
}

// Positions 1..m, counted from `start`, of the epochs with survivors at the last snapshot.
std::vector<uint32_t> Positions(const std::vector<EpochSurvivors>& epochs, uint32_t start,
                                uint32_t end) {
  std::vector<uint32_t> positions;
  for (const EpochSurvivors& survivors : epochs) {
    if (survivors.blocks > 0 && survivors.epoch > start && survivors.epoch <= end) {
      positions.push_back(survivors.epoch - start);
    }
  }
  return positions;
}

uint32_t CountAbove(const std::vector<uint32_t>& positions, uint32_t bound) {
  return static_cast<uint32_t>(positions.end() -
                               std::upper_bound(positions.begin(), positions.end(), bound));
}

struct Period {
  uint32_t length = 0;  // 0: none found
  double p_value = 1;
};

// The most convincing k such that every k-th position of 1..m, in some phase, is taken.
Period FindPeriod(const std::vector<uint32_t>& positions, uint32_t m, uint32_t half) {
  std::vector<bool> taken(m + 1, false);
  for (const uint32_t position : positions) taken[position] = true;
  Period best;
  const auto second_half = static_cast<uint32_t>(m - half);
  for (uint32_t k = 1; k <= second_half / kParts; ++k) {
    for (uint32_t phase = 1; phase <= k; ++phase) {
      uint32_t position = phase;
      while (position <= m && taken[position]) position += k;
      if (position <= m) continue;
      const uint32_t slots = (m - phase) / k + 1 - (half < phase ? 0 : (half - phase) / k + 1);
      const double search = static_cast<double>(k) * k * (k + 1.0);
      const double p_value = std::min(1.0, std::exp2(-static_cast<double>(slots)) * search);
      if (p_value < best.p_value) best = {.length = k, .p_value = p_value};
    }
  }
  return best;
}

// Whether the second half is covered, not just hit by a burst or two.
bool Persists(const std::vector<uint32_t>& positions, uint32_t m, uint32_t half) {
  std::array<bool, kParts> covered = {};
  const uint64_t width = m - half;
  for (const uint32_t position : positions) {
    if (position > half) covered[(position - half - 1ull) * kParts / width] = true;
  }
  return std::count(covered.begin(), covered.end(), true) >= kLeastParts;
}

uint64_t Hash(const std::vector<uint32_t>& positions, uint32_t gap) {
  uint64_t hash = 1469598103934665603ull ^ gap;
  for (const uint32_t position : positions) hash = (hash ^ position) * 1099511628211ull;
  return hash;
}

std::string Ordinal(uint32_t k) {
  const char* suffix = "th";
  if (k % 100 < 11 || k % 100 > 13) {
    if (k % 10 == 1) suffix = "st";
    if (k % 10 == 2) suffix = "nd";
    if (k % 10 == 3) suffix = "rd";
  }
  return std::to_string(k) + suffix;
}

std::string Name(const SiteOutcome& outcome, const std::vector<uint32_t>& positions, uint32_t start,
                 bool late) {
  if (outcome.reallocated) return "re-allocated, each time larger";
  if (positions.empty()) return "";
  const uint32_t first = start + positions.front();
  const uint32_t last = start + positions.back();
  std::string when;
  if (outcome.period) {
    when = *outcome.period == 1 ? "every iteration"
                                : "every " + Ordinal(*outcome.period) + " iteration";
  } else if (positions.size() == 1) {
    return "one step, at iteration " + std::to_string(first);
  } else if (last - first <= std::max(3u, outcome.judged / 64)) {
    return "one step, at iterations " + std::to_string(first) + " to " + std::to_string(last);
  } else {
    const double taken = outcome.first_half + outcome.second_half;
    const double span = late ? start + outcome.judged - first + 1 : outcome.judged;
    char text[64];
    std::snprintf(text, sizeof text, "about one in %.*f iterations", span / taken < 9.95 ? 1 : 0,
                  span / taken);
    when = text;
  }
  if (late) when += ", from iteration " + std::to_string(first) + " on";
  if (outcome.slowing) when += ", slowing";
  return when;
}

// Bytes or blocks per iteration over the positions above `from`, a whole number of periods.
void MeasureRate(const std::vector<EpochSurvivors>& epochs, uint32_t start, uint32_t from,
                 uint32_t m, SiteOutcome& outcome) {
  const uint32_t k = outcome.period.value_or(1);
  const uint32_t width = (m - from) / k * k;
  if (width == 0) return;
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  for (const EpochSurvivors& survivors : epochs) {
    if (survivors.epoch > start + m - width && survivors.epoch <= start + m) {
      bytes += survivors.bytes;
      blocks += survivors.blocks;
    }
  }
  outcome.bytes_per_iteration = static_cast<double>(bytes) / width;
  outcome.blocks_per_iteration = static_cast<double>(blocks) / width;
}

// A site's level over windows that double, oldest first.
struct Window {
  double floor = 0;   // least seen in the window
  double before = 0;  // live when it began
  double live = 0;    // live when it ended
  double blocks = 0;  // live blocks when it ended
};

std::vector<Window> DoublingWindows(const Rule& rule, std::span<const Snapshot> snapshots,
                                    const SiteHistory& site) {
  const auto live = [&](size_t i) {
    return site.at[i] == nullptr ? 0.0 : static_cast<double>(site.at[i]->live_bytes);
  };
  std::vector<Window> windows;
  size_t end = snapshots.size() - 1;
  while (windows.size() <= kGrowthWindows) {
    const double measured = snapshots[end].iteration - rule.warmup;
    Window window = {.floor = live(end), .live = live(end)};
    if (site.at[end] != nullptr) window.blocks = static_cast<double>(site.at[end]->live_blocks);
    size_t begin = end;
    // Up to a tenth less than double: a budget need not be a power of two.
    do {
      const double floor =
          site.at[begin] == nullptr ? 0.0 : static_cast<double>(site.at[begin]->floor_bytes);
      window.floor = std::min(window.floor, floor);
      if (begin == 0) break;
      --begin;
    } while ((snapshots[begin].iteration - rule.warmup) * 1.9 > measured);
    const bool first = (snapshots[begin].iteration - rule.warmup) * 1.9 > measured;
    window.before = first ? window.floor : live(begin);
    windows.push_back(window);
    if (first) break;
    end = begin;
  }
  std::reverse(windows.begin(), windows.end());
  return windows;
}

// Nothing of what was held when the last `count` windows began was given back in them.
bool NeverGaveBack(const std::vector<Window>& windows, size_t count) {
  return windows.size() > count &&
         std::all_of(windows.end() - static_cast<ptrdiff_t>(count), windows.end(),
                     [](const Window& w) { return w.floor >= w.before; });
}

// Grown in each of the last two windows, and in the last one up to its very end.
bool FloorRises(const std::vector<Window>& windows) {
  if (!NeverGaveBack(windows, 2)) return false;
  const Window* last = &windows.back();
  return last->live > last->before && last->floor > last[-1].floor &&
         last[-1].floor > last[-2].floor;
}

// The floor's increments themselves grow, three times running, in no more blocks.
bool FloorAccelerates(const std::vector<Window>& windows) {
  if (!NeverGaveBack(windows, kGrowthWindows)) return false;
  double previous = windows[1].floor - windows[0].floor;
  if (previous <= 0) return false;
  for (size_t i = 2; i <= kGrowthWindows; ++i) {
    const double increment = windows[i].floor - windows[i - 1].floor;
    if (increment < kGrowthRatio * previous) return false;
    previous = increment;
  }
  return windows.back().live > windows.back().before &&
         windows.back().blocks <= windows.front().blocks + 1;
}

// The gap beyond which hardly anything dies, or 0: none that leaves half the epochs.
uint32_t SettledGap(const Rule& rule, const std::vector<Fate>& fates,
                    const std::vector<EpochSurvivors>& now, uint32_t start, uint32_t reference,
                    uint32_t last) {
  for (uint32_t gap = rule.gap; last >= gap + start; gap *= 2) {
    const uint32_t judged = last - gap - start;
    if (judged * 2 < last - rule.gap - start) return 0;
    // Epochs old enough at the reference to have shown whether such blocks die.
    if (reference < gap + start || (reference - gap - start) * 4 < judged) return 0;
    const auto dying =
        static_cast<size_t>(std::count_if(fates.begin(), fates.end(), [&](const Fate& fate) {
          return fate.shrank && fate.epoch <= reference - gap;
        }));
    const size_t counted = Positions(now, start, last - gap).size();
    if (dying * kDyingShare <= counted) return gap;
  }
  return 0;
}

}  // namespace

SiteOutcome ExamineSite(const Rule& rule, std::span<const Snapshot> snapshots,
                        const SiteHistory& site) {
  SiteOutcome outcome;
  outcome.kind = site.kind;
  outcome.site = site.site;
  outcome.gap = rule.gap;
  const uint32_t last = snapshots.back().iteration;
  const size_t now_index = snapshots.size() - 1;
  const size_t reference_index = ReferenceIndex(rule, snapshots);
  const uint32_t reference = snapshots[reference_index].iteration;
  const std::vector<EpochSurvivors>& now = EpochsAt(site, now_index);
  const std::vector<Window> windows = DoublingWindows(rule, snapshots, site);

  // Quiet: beyond some gap the second half holds nothing. A gap longer than the rule's is
  // for sites whose younger survivors are no more than were seen to die at such ages.
  const uint32_t nominal = last - rule.gap - rule.warmup;
  const bool rises = FloorRises(windows);
  for (uint32_t gap = rule.gap; !rises && last >= gap + rule.warmup; gap *= 2) {
    const uint32_t judged = last - gap - rule.warmup;
    if (judged * 2 < nominal) break;
    const std::vector<uint32_t> positions = Positions(now, rule.warmup, last - gap);
    if (CountAbove(positions, judged / 2) > 0) continue;
    if (gap > rule.gap) {
      const size_t young = Positions(now, rule.warmup, last - rule.gap).size() - positions.size();
      size_t explained = 0;
      for (size_t i = 0; i + 1 < snapshots.size(); ++i) {
        const uint32_t then = snapshots[i].iteration;
        if (then < rule.gap) continue;
        const uint32_t oldest = then > gap ? then - gap + 1 : 1;
        const std::vector<Fate> fates =
            FatesBetween(site, i, now_index, std::max(oldest, rule.warmup + 1), then - rule.gap);
        explained =
            std::max(explained,
                     static_cast<size_t>(std::count_if(
                         fates.begin(), fates.end(), [](const Fate& fate) { return fate.gone; })));
      }
      if (explained == 0 || young > 2 * explained + 2) continue;
    }
    outcome.quiet = true;
    outcome.gap = gap;
    outcome.judged = judged;
    outcome.first_half = static_cast<uint32_t>(positions.size());
    outcome.quiet_epochs = positions.empty() ? judged : judged - judged / 2;
    outcome.pattern = Name(outcome, positions, rule.warmup, false);
    return outcome;
  }

  const uint32_t start = rule.warmup + rule.input_cycle;
  outcome.reallocated = FloorAccelerates(windows);
  // While inputs are still new, describe what there is; it is no evidence.
  const bool evidence = last >= start + rule.first_look;
  const uint32_t described_start = evidence ? start : rule.warmup;
  const std::vector<Fate> fates =
      FatesBetween(site, reference_index, now_index, described_start + 1,
                   reference > rule.gap ? reference - rule.gap : 0);
  const uint32_t settled = SettledGap(rule, fates, now, described_start, reference, last);
  outcome.gap = settled == 0 ? rule.gap : settled;
  const uint32_t m = last - outcome.gap - described_start;
  const uint32_t half = m / 2;
  const std::vector<uint32_t> positions = Positions(now, described_start, last - outcome.gap);
  outcome.judged = m;
  outcome.second_half = CountAbove(positions, half);
  outcome.first_half = static_cast<uint32_t>(positions.size()) - outcome.second_half;
  outcome.epochs_hash = Hash(positions, outcome.gap);
  for (const Fate& fate : fates) {
    if (fate.epoch > reference - outcome.gap) continue;
    outcome.died += fate.shrank;
    outcome.still_held += !fate.gone;
  }
  outcome.slowing = PositionScore(positions, m) < kSlowingScore;

  const Period period = FindPeriod(positions, m, half);
  if (period.p_value <= rule.level) outcome.period = period.length;
  if (evidence && settled != 0 && outcome.still_held >= kLeastStillHeld) {
    if (outcome.died == 0) outcome.p_value = period.p_value / (1 - kCountsShare);
    const uint32_t second = outcome.second_half - std::min(outcome.second_half, 2 * outcome.died);
    if (outcome.first_half + second >= kLeastEpochs && !outcome.slowing &&
        Persists(positions, m, half)) {
      const double share = (m - half) / (2.0 * half + (m - half));
      outcome.p_value =
          std::min(outcome.p_value,
                   BinomialUpperTail(outcome.first_half + second, share, second) / kCountsShare);
    }
    outcome.p_value = std::min(1.0, outcome.p_value);
  }

  // Late: had survivors come evenly, none before the first would be a one in 1,000 chance.
  const bool late =
      !positions.empty() && positions.size() > 1 &&
      static_cast<double>(positions.size()) * std::log1p(-(positions.front() - 1.0) / m) <
          std::log(1e-3);
  if (late) outcome.onset = described_start + positions.front();
  MeasureRate(now, described_start, late ? std::max(half, positions.front() - 1) : half, m,
              outcome);
  if (outcome.reallocated || (rises && positions.empty())) {
    // The block is reborn each time: what its floor gained over the last window.
    const Window& w = windows.back();
    outcome.bytes_per_iteration = (w.live - w.before) / (last - reference);
  }
  outcome.pattern = Name(outcome, positions, described_start, late);
  return outcome;
}

}  // namespace plimsoll
