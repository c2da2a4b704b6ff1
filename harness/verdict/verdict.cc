#include "harness/verdict/verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

#include "base/units.h"
#include "harness/verdict/promises.h"
#include "harness/verdict/site_history.h"
#include "harness/verdict/spread_rule.h"
#include "harness/verdict/statistics.h"
#include "harness/verdict/survivor_rule.h"

namespace plimsoll {
namespace {

// Sites with fewer epochs with survivors cannot reach any level and are no tests.
constexpr uint32_t kLeastTestable = 8;
// Of a look's level, for the sites of each kind taken together.
constexpr double kSpreadShare = 0.05;

std::string Format(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string Plural(uint64_t count, const char* one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

bool LedgerIncomplete(const Snapshot& snapshot, std::span<const Sample> samples) {
  if (!snapshot.complete) return true;
  return !samples.empty() && samples.back().ledger && samples.back().ledger->untracked_blocks > 0;
}

// What was made before the first measured iteration and is still held, all kinds.
HeldCount HeldFromBefore(const Rule& rule, const Snapshot& snapshot) {
  HeldCount held;
  for (const SiteSurvivors& site : snapshot.sites) {
    const HeldCount born_after = HeldOf(site.epochs, rule.warmup, snapshot.iteration);
    held.blocks += site.live_blocks - born_after.blocks;
    held.bytes += site.live_bytes - born_after.bytes;
  }
  return held;
}

// What each iteration frees of what was made before the first measured one, in bytes: more
// in the last window than half of what the window before lost per iteration, and at least
// a block in eight iterations of both. Absent when the iteration is a round trip.
std::optional<double> ShrinkingBytes(const Rule& rule, std::span<const Snapshot> snapshots) {
  if (snapshots.size() < 3) return std::nullopt;
  const Snapshot& a = snapshots[snapshots.size() - 3];
  const Snapshot& b = snapshots[snapshots.size() - 2];
  const Snapshot& c = snapshots.back();
  const HeldCount held_a = HeldFromBefore(rule, a);
  const HeldCount held_b = HeldFromBefore(rule, b);
  const HeldCount held_c = HeldFromBefore(rule, c);
  const double before = (static_cast<double>(held_a.blocks) - static_cast<double>(held_b.blocks)) /
                        (b.iteration - a.iteration);
  const double after = (static_cast<double>(held_b.blocks) - static_cast<double>(held_c.blocks)) /
                       (c.iteration - b.iteration);
  if (before < 0.125 || after < 0.125 || after < before / 2) return std::nullopt;
  return (static_cast<double>(held_b.bytes) - static_cast<double>(held_c.bytes)) /
         (c.iteration - b.iteration);
}

SiteFinding ToFinding(const SiteOutcome& outcome, Verdict verdict) {
  return {.kind = outcome.kind,
          .verdict = verdict,
          .site = outcome.site,
          .bytes_per_iteration = outcome.bytes_per_iteration,
          .blocks_per_iteration = outcome.blocks_per_iteration,
          .period = outcome.period,
          .pattern = outcome.pattern,
          .stack = {}};
}

void AddFindings(const std::vector<SiteOutcome>& outcomes, Verdict verdict, Judgement& judgement) {
  for (const SiteOutcome& outcome : outcomes) {
    judgement.findings.push_back(ToFinding(outcome, verdict));
  }
  std::stable_sort(judgement.findings.begin(), judgement.findings.end(),
                   [](const SiteFinding& a, const SiteFinding& b) {
                     return std::pair(a.bytes_per_iteration, a.blocks_per_iteration) >
                            std::pair(b.bytes_per_iteration, b.blocks_per_iteration);
                   });
  // An allocator's own blocks are carved out of heap or mappings found beside them.
  const bool others =
      std::any_of(judgement.findings.begin(), judgement.findings.end(),
                  [](const SiteFinding& f) { return f.kind != ResourceKind::kAllocatorBlock; });
  for (const SiteFinding& finding : judgement.findings) {
    if (others && finding.kind == ResourceKind::kAllocatorBlock) continue;
    judgement.growth.bytes_per_iteration += finding.bytes_per_iteration;
    judgement.growth.blocks_per_iteration += finding.blocks_per_iteration;
  }
}

std::string Rate(const SiteFinding& finding) {
  if (finding.bytes_per_iteration > 0) {
    const double bytes = finding.bytes_per_iteration;
    const bool whole = bytes == static_cast<double>(static_cast<uint64_t>(bytes));
    return (bytes < 1024 ? Format(whole ? "%.0f B" : "%.3g B", bytes) : FormatBytes(bytes)) +
           " per iteration";
  }
  return Format("%.3g", finding.blocks_per_iteration) + " " + ResourceKindName(finding.kind) +
         (finding.blocks_per_iteration == 1 ? "" : "s") + " per iteration";
}

std::string Summary(const Judgement& judgement, const char* verb) {
  const SiteFinding& worst = judgement.findings.front();
  std::string text = Plural(judgement.findings.size(), "site") + " " + verb +
                     (judgement.findings.size() == 1 ? "s " : " ");
  text += "(" + std::string(ResourceKindName(worst.kind));
  if (judgement.findings.size() > 1) text += ", the worst";
  return text + "): " + Rate(worst) + ", " + worst.pattern;
}

// Whether every site that is not quiet is a full cache: only the end of the budget may say so,
// as a leak beneath one shows the later the more.
bool AreFullCaches(const std::vector<SiteOutcome>& open) {
  return std::all_of(open.begin(), open.end(), [](const SiteOutcome& site) {
    return site.level_bytes_per_iteration.has_value();
  });
}

void Conclude(const Rule& rule, const std::vector<SiteOutcome>& quiet,
              const std::vector<SiteOutcome>& full, uint32_t judged, size_t promised,
              Judgement& judgement) {
  uint32_t epochs = judged;
  uint32_t filled = 0;
  for (const SiteOutcome& site : quiet) {
    epochs = std::min(epochs, site.quiet_epochs);
    filled += site.first_half > 0;
  }
  MinimumDetectable bound = {.bytes_per_iteration = 1,
                             .one_in_iterations = ExcludedOneIn(rule, epochs, rule.confidence),
                             .confidence = rule.confidence};
  std::string text = "nothing survives of " + Plural(epochs, "iteration") +
                     ": excludes a leak of 1 byte in one of " +
                     Format("%.3g", bound.one_in_iterations) + " iterations (" +
                     Format("%.4g", rule.confidence * 100) + " %; at 95 %: one of " +
                     Format("%.3g", ExcludedOneIn(rule, epochs, 0.95)) + ")";
  if (filled > 0) text += "; " + Plural(filled, "site") + " filled up before and stayed so";
  if (!full.empty()) {
    bound = {.bytes_per_iteration = 0, .one_in_iterations = 1, .confidence = 0.95};
    for (const SiteOutcome& site : full) {
      bound.bytes_per_iteration += *site.level_bytes_per_iteration;
    }
    bound.bytes_per_iteration = std::max(1.0, std::ceil(bound.bytes_per_iteration));
    text += "; elsewhere " + Plural(full.size(), "site") +
            " of full caches, whose entries are replaced and whose level only wanders: excludes "
            "growth of " +
            FormatBytes(bound.bytes_per_iteration) + " per iteration (95 %)";
  }
  if (promised > 0) text += "; " + Plural(promised, "site") + " within a declared bound not judged";
  judgement.reason = text;
  if (rule.wanted_one_in_iterations && bound.one_in_iterations < *rule.wanted_one_in_iterations) {
    judgement.verdict = Verdict::kInconclusive;
    judgement.reason += "; wanted: one of " + Format("%.4g", *rule.wanted_one_in_iterations);
    return;
  }
  judgement.verdict = Verdict::kClean;
  judgement.decided = true;
  judgement.growth.minimum_detectable = bound;
}

}  // namespace

Judgement Judge(const Rule& rule, std::span<const Snapshot> snapshots,
                std::span<const Sample> samples) {
  Judgement judgement;
  const std::vector<Look> looks = DecisionLooks(rule);
  if (!samples.empty() && !samples.back().ledger) {
    judgement.reason = "the ledger is not in the process: only noisy counters can be judged";
    judgement.decided = true;  // no look will see more
    judgement.iterations = snapshots.empty() ? 0 : snapshots.back().iteration - rule.warmup;
    return judgement;
  }
  // The latest decision look that was reached; snapshots after it wait for the next.
  const Look* look = nullptr;
  size_t used = 0;
  for (const Look& candidate : looks) {
    for (size_t i = 0; i < snapshots.size(); ++i) {
      if (snapshots[i].iteration == candidate.iteration) {
        look = &candidate;
        used = i + 1;
      }
    }
  }
  if (look == nullptr) {
    judgement.reason =
        "the first look is at iteration " + std::to_string(looks[0].iteration) + "; only " +
        std::to_string(snapshots.empty() ? 0 : snapshots.back().iteration) + " were seen";
    return judgement;
  }
  const bool at_look = used == snapshots.size();
  snapshots = snapshots.first(used);
  const Snapshot& now = snapshots.back();
  judgement.iterations = now.iteration - rule.warmup;

  const Promises promises = CheckBounds(rule, now);
  std::vector<SiteOutcome> examined;
  for (const SiteHistory& history : Histories(snapshots)) {
    if (promises.kept.contains({history.kind, history.site})) continue;
    examined.push_back(ExamineSite(rule, snapshots, history));
  }
  std::vector<SiteOutcome> quiet;
  std::vector<SiteOutcome> open;
  for (const SiteOutcome& site : examined) (site.quiet ? quiet : open).push_back(site);

  std::set<uint64_t> tests;
  for (const SiteOutcome& site : open) {
    if (site.first_half + site.second_half >= kLeastTestable) tests.insert(site.epochs_hash);
  }
  const double level =
      look->level * (1 - kSpreadShare) / static_cast<double>(std::max<size_t>(1, tests.size()));
  std::vector<SiteOutcome> leaks;
  for (const SiteOutcome& site : open) {
    if (site.proven || site.p_value <= level) leaks.push_back(site);
  }
  if (leaks.empty() && !open.empty())
    leaks = FindSpreadLeak(rule, snapshots, examined, look->level * kSpreadShare);

  const bool last = at_look && look == &looks.back();
  std::vector<SiteOutcome> full;
  if (last && leaks.empty() && AreFullCaches(open)) full.swap(open);
  const uint32_t judged = now.iteration - rule.gap - rule.warmup;
  if (!leaks.empty()) {
    judgement.verdict = Verdict::kLeak;
    judgement.decided = at_look;
    AddFindings(leaks, Verdict::kLeak, judgement);
    judgement.reason =
        Summary(judgement, "leak") + "; proven at iteration " + std::to_string(now.iteration);
  } else if (!promises.broken.empty()) {
    judgement.verdict = Verdict::kOver;
    judgement.decided = at_look;
    AddFindings(open, Verdict::kGrowing, judgement);
    judgement.reason = promises.broken.front();
  } else if (!open.empty()) {
    judgement.verdict = Verdict::kGrowing;
    AddFindings(open, Verdict::kGrowing, judgement);
    judgement.reason = Summary(judgement, "grow") + "; not settled after " +
                       Plural(judgement.iterations, "iteration");
  } else if (LedgerIncomplete(now, samples)) {
    judgement.verdict = Verdict::kInconclusive;
    judgement.decided = at_look;
    judgement.reason = "the ledger reached its bound and lost blocks: CLEAN would be a guess";
  } else if (const auto shrinking = ShrinkingBytes(rule, snapshots)) {
    judgement.verdict = Verdict::kInconclusive;
    judgement.reason = "each iteration frees " + FormatBytes(*shrinking) +
                       " of what was made before the first: it is no round trip; move what it "
                       "consumes into the iteration";
  } else {
    Conclude(rule, quiet, full, judged, promises.kept.size(), judgement);
    judgement.decided = judgement.decided && at_look;
  }
  if (last) judgement.decided = true;
  return judgement;
}

Peak PeakOf(std::span<const Sample> samples, uint32_t warmup) {
  Peak peak;
  const auto raise = [](Count& highest, const Count& value) {
    if (value && (!highest || *value > *highest)) highest = value;
  };
  std::vector<double> faults;
  std::optional<uint64_t> previous_faults;
  for (const Sample& sample : samples) {
    const ProcessCounters& process = sample.process;
    if (sample.iteration > warmup) {
      raise(peak.rss_bytes, process.rss_bytes);
      // Without a reset the mark is since start: the process's peak, not the iterations'.
      if (process.hwm_is_per_iteration) raise(peak.rss_bytes, process.hwm_bytes);
      raise(peak.rss_anon_bytes, process.rss_anon_bytes);
      raise(peak.rss_file_bytes, process.rss_file_bytes);
      if (sample.ledger) {
        raise(peak.live_heap_bytes, sample.ledger->peak_heap_bytes);
        raise(peak.live_heap_bytes,
              sample.ledger->held[static_cast<size_t>(ResourceKind::kHeap)].bytes);
      }
      if (previous_faults && process.minor_faults && process.major_faults) {
        faults.push_back(
            static_cast<double>(*process.minor_faults + *process.major_faults - *previous_faults));
      }
    }
    if (process.minor_faults && process.major_faults) {
      previous_faults = *process.minor_faults + *process.major_faults;
    } else {
      previous_faults.reset();
    }
  }
  if (!faults.empty()) {
    const auto middle = faults.begin() + static_cast<ptrdiff_t>(faults.size() / 2);
    std::nth_element(faults.begin(), middle, faults.end());
    peak.page_faults_per_iteration = *middle;
  }
  return peak;
}

}  // namespace plimsoll
