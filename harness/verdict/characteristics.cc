#include "harness/verdict/characteristics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "harness/verdict/rivals.h"
#include "harness/verdict/rule.h"
#include "harness/verdict/statistics.h"
#include "harness/verdict/synthetic_noise.h"
#include "harness/verdict/trend_rule.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {
namespace {

constexpr double kBlockBytes = 64;
constexpr double kProcessBytes = 200 * 1048576.0;
constexpr uint32_t kTrendIterations = 256;
constexpr uint32_t kLongBudget = 8192;
constexpr const char* kRareLeak = "leak_p_0.03";
// It starts after an early CLEAN, and was not there to be found.
constexpr const char* kLateLeak = "every_1_from_600";
constexpr const char* kNoNoise = "none";
// The patterns of the published table, and what keeps nothing.
constexpr std::string_view kPublished[] = {
    "idle",           "random_key_cache_64", "sawtooth_10",  "sawtooth_50",
    "lru_16",         "lazy_init_5",         "leak_every_1", "leak_every_7",
    "leak_every_16",  "leak_p_0.1",          "leak_p_0.03",  "sawtooth_10_and_every_1",
    "vector_doubles",
};
// Hundreds of programs side by side take their time, and are for our exact rule only.
constexpr const char* kCrowd = "crowd";

// Independent for each part of the plan (splitmix64 over an FNV-1a hash).
uint64_t SeedOf(const TrialPlan& plan, std::string_view pattern, uint64_t purpose, uint64_t trial,
                uint64_t child = 0) {
  uint64_t hash = 14695981039346656037ull ^ plan.seed;
  for (const char c : pattern) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  for (const uint64_t part : {purpose, trial, child}) {
    hash += part + 0x9e3779b97f4a7c15ull;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    hash ^= hash >> 31;
  }
  return hash;
}

enum Purpose : uint64_t { kExact, kExactLong, kRecorded, kRecordedNoise, kChild, kChildNoise };

RateRow Row(const Pattern& pattern, std::string noise, std::string rule, uint32_t trials) {
  return {.pattern = pattern.name,
          .leaks = pattern.leaks,
          .noise = std::move(noise),
          .rule = std::move(rule),
          .trials = trials};
}

RateRow MeasureSurvivors(const TrialPlan& plan, const Pattern& pattern, Purpose purpose,
                         uint32_t budget, uint32_t trials) {
  Rule rule;
  rule.max_iterations = budget;
  rule.input_cycle = pattern.input_cycle;
  RateRow row = Row(pattern, kNoNoise,
                    purpose == kExact ? "survivor" : "survivor_" + std::to_string(budget), trials);
  std::vector<double> iterations;
  for (uint32_t trial = 0; trial < trials; ++trial) {
    const SyntheticRun run = RunPattern(rule, pattern, SeedOf(plan, pattern.name, purpose, trial));
    Judgement judgement;
    for (size_t i = 1; i <= run.snapshots.size() && !judgement.decided; ++i) {
      judgement = Judge(rule, std::span(run.snapshots).first(i), {});
    }
    row.flagged += judgement.verdict == Verdict::kLeak;
    row.clean += judgement.verdict == Verdict::kClean;
    row.growing += judgement.verdict == Verdict::kGrowing;
    const auto& bound = judgement.growth.minimum_detectable;
    row.wrongly_excluded += bound && pattern.rate * bound->one_in_iterations > 1;
    iterations.push_back(judgement.iterations);
  }
  row.median_iterations = Median(iterations);
  return row;
}

std::vector<double> Noisy(const std::vector<uint64_t>& exact, double scale, double base,
                          const std::vector<double>& noise) {
  std::vector<double> values;
  for (size_t i = 0; i < exact.size(); ++i) {
    values.push_back(base + static_cast<double>(exact[i]) + (noise.empty() ? 0 : scale * noise[i]));
  }
  return values;
}

constexpr Noise kNoises[] = {Noise::kWhite, Noise::kAr8, Noise::kWalk, Noise::kTwoLevel,
                             Noise::kSaturating};

// Without noise, and with each.
std::vector<std::string> NoiseNames() {
  std::vector<std::string> names = {kNoNoise};
  for (const Noise noise : kNoises) names.emplace_back(NoiseName(noise));
  return names;
}

std::vector<double> DrawNoise(size_t index, size_t length, uint64_t seed) {
  if (index == 0) return {};
  return NoisySeries(kNoises[index - 1], 0, static_cast<uint32_t>(length), seed);
}

void MeasureRivals(const TrialPlan& plan, const Pattern& pattern, std::vector<RateRow>& rows) {
  const std::vector<std::string> noises = NoiseNames();
  const std::span<const Rival> rivals = Rivals();
  const size_t first = rows.size();
  for (const std::string& noise : noises) {
    for (const Rival& rival : rivals) {
      rows.push_back(Row(pattern, noise, rival.name, plan.trials));
    }
  }
  Rule rule;
  rule.max_iterations = 0;
  for (const Rival& rival : rivals) {
    rule.max_iterations = std::max(rule.max_iterations, rival.iterations);
  }
  for (uint32_t trial = 0; trial < plan.trials; ++trial) {
    const SyntheticRun run =
        RunPattern(rule, pattern, SeedOf(plan, pattern.name, kRecorded, trial));
    for (size_t n = 0; n < noises.size(); ++n) {
      const std::vector<double> noise =
          DrawNoise(n, run.live_bytes.size(), SeedOf(plan, pattern.name, kRecordedNoise, trial, n));
      const std::vector<double> bytes = Noisy(run.live_bytes, kBlockBytes, 0, noise);
      const std::vector<double> objects = Noisy(run.live_blocks, 1, 0, noise);
      const std::vector<double> rss = Noisy(run.live_bytes, kBlockBytes, kProcessBytes, noise);
      for (size_t i = 0; i < rivals.size(); ++i) {
        rows[first + n * rivals.size() + i].flagged += rivals[i].flags({bytes, objects, rss});
      }
    }
  }
}

void MeasureTrend(const TrialPlan& plan, const Pattern& pattern, std::vector<RateRow>& rows) {
  const std::vector<std::string> noises = NoiseNames();
  const bool published =
      std::find(std::begin(kPublished), std::end(kPublished), pattern.name) != std::end(kPublished);
  const uint32_t trials = published ? plan.trials : std::min(plan.trials, plan.trend_trials);
  const size_t first = rows.size();
  for (const std::string& noise : noises) {
    rows.push_back(Row(pattern, noise, "trend", trials));
  }
  TrendRule trend;
  trend.iterations = kTrendIterations;
  // What a first cycle of inputs fills is warm-up to it.
  trend.warmup += pattern.input_cycle;
  Rule rule;
  rule.max_iterations = kTrendIterations + pattern.input_cycle;
  for (uint32_t trial = 0; trial < trials; ++trial) {
    std::vector<std::vector<uint64_t>> exact;
    for (uint32_t child = 0; child < trend.children; ++child) {
      exact.push_back(
          RunPattern(rule, pattern, SeedOf(plan, pattern.name, kChild, trial, child)).live_bytes);
    }
    for (size_t n = 0; n < noises.size(); ++n) {
      std::vector<std::vector<double>> children;
      for (uint32_t child = 0; child < trend.children; ++child) {
        const uint64_t seed =
            SeedOf(plan, pattern.name, kChildNoise, trial, n * trend.children + child);
        children.push_back(
            Noisy(exact[child], kBlockBytes, 0, DrawNoise(n, exact[child].size(), seed)));
      }
      const TrendJudgement judgement = JudgeTrend(trend, children);
      RateRow& row = rows[first + n];
      row.flagged += judgement.verdict == Verdict::kLeak;
      row.clean += judgement.verdict == Verdict::kClean;
      row.growing += judgement.verdict == Verdict::kGrowing;
    }
  }
}

}  // namespace

Interval WilsonInterval(uint32_t count, uint32_t trials) {
  const double z = NormalUpperQuantile(0.025);
  const double n = trials;
  const double rate = count / n;
  const double centre = (rate + z * z / (2 * n)) / (1 + z * z / n);
  const double width = z / (1 + z * z / n) * std::sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
  return {.low = std::max(0.0, centre - width), .high = std::min(1.0, centre + width)};
}

std::vector<RateRow> MeasureRates(const TrialPlan& plan, const Pattern& pattern) {
  std::vector<RateRow> rows;
  const bool crowd = pattern.name.rfind(kCrowd, 0) == 0;
  const uint32_t trials =
      pattern.leaks || crowd ? plan.trials : std::max(plan.trials, plan.bounded_trials);
  rows.push_back(MeasureSurvivors(plan, pattern, kExact, Rule().max_iterations, trials));
  if (pattern.name == kRareLeak) {
    rows.push_back(MeasureSurvivors(plan, pattern, kExactLong, kLongBudget, plan.trials));
  }
  if (crowd) return rows;
  MeasureTrend(plan, pattern, rows);
  MeasureRivals(plan, pattern, rows);
  return rows;
}

std::vector<CharacteristicsBar> CheckBars(std::span<const RateRow> rows) {
  std::vector<CharacteristicsBar> bars;
  const auto ours = [](const RateRow& row) {
    return row.rule == "trend" || row.rule.rfind("survivor", 0) == 0;
  };
  CharacteristicsBar worst = {.name = "", .value = -1, .limit = 1e-3, .at_most = true};
  CharacteristicsBar excluded = {
      .name = "CLEAN with a bound that excludes the leak, trials", .limit = 0, .at_most = true};
  for (const RateRow& row : rows) {
    if (!ours(row)) continue;
    if (row.pattern != kLateLeak) excluded.value += row.wrongly_excluded;
    if (row.leaks || row.Rate() <= worst.value) continue;
    worst.value = row.Rate();
    worst.name = "false LEAK, the worst: " + row.pattern + ", noise " + row.noise + ", " + row.rule;
  }
  if (worst.value >= 0) bars.push_back(worst);
  const auto at_least = [&](const char* pattern, const char* rule, double limit) {
    for (const RateRow& row : rows) {
      if (row.pattern != pattern || row.rule != rule) continue;
      bars.push_back({.name = std::string("found: ") + pattern + ", " + rule,
                      .value = row.Rate(),
                      .limit = limit});
    }
  };
  at_least("leak_every_16", "survivor", 1);
  at_least("leak_p_0.1", "survivor", 0.95);
  at_least(kRareLeak, "survivor_8192", 0.6);
  bars.push_back(excluded);
  return bars;
}

}  // namespace plimsoll
