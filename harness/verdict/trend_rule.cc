#include "harness/verdict/trend_rule.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>
#include <tuple>

#include "base/units.h"
#include "harness/verdict/statistics.h"

namespace plimsoll {
namespace {

constexpr uint32_t kLeastIterations = 32;  // eight in a quarter
constexpr uint32_t kLeastLag = 4;          // of the structure function, in iterations
constexpr double kPower = 0.95;
constexpr double kEdge = 0.1;  // of a quarter's values, for where the low and the high lie

std::string Rate(double bytes) { return FormatBytes(bytes) + " per iteration"; }

struct Slopes {
  double second_half = 0;
  double evidence = 0;  // min(s3, s4, low, high) - max(s1, 0) / 2
};

// What lies a `share` of the way up.
double Quantile(std::vector<double> values, double share) {
  const auto at =
      values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// Per iteration, from `before` to `after`, two windows side by side.
double Rise(std::span<const double> before, std::span<const double> after, double share) {
  const double gained = Quantile({after.begin(), after.end()}, share) -
                        Quantile({before.begin(), before.end()}, share);
  return gained / (static_cast<double>(before.size() + after.size()) / 2);
}

Slopes Measure(std::span<const double> values) {
  const size_t half = values.size() / 2;
  const size_t quarter = half / 2;
  const double s1 = TheilSenSlope(values.first(half));
  const std::span<const double> third = values.subspan(half, quarter);
  const std::span<const double> last = values.last(quarter);
  const double least = std::min({TheilSenSlope(third), TheilSenSlope(last),
                                 Rise(third, last, kEdge), Rise(third, last, 1 - kEdge)});
  return {.second_half = TheilSenSlope(values.subspan(half)),
          .evidence = least - std::max(s1, 0.0) / 2};
}

// Standard deviation of a Theil-Sen slope over `length` iterations. For a random walk the
// variance is 6/5 of step^2 / length, for independent noise pi/3 of 12 sigma^2 / length^3:
// ordinary regression's, the latter with the efficiency of Theil-Sen on normal noise.
double SlopeDeviation(const NoiseEstimate& noise, double length) {
  return std::sqrt(1.2 * noise.walk_bytes * noise.walk_bytes / length +
                   4 * std::numbers::pi * noise.stationary_bytes * noise.stationary_bytes /
                       (length * length * length));
}

// How large a leak must be for the rule with so many children, by simulation on normal slopes
// with a fixed seed: a closed form would be far off for the few children that are usual.
struct Effect {
  double finds = 0;     // in standard deviations of a quarter's slope, to be LEAK
  double excludes = 0;  // in those of a half's, for CLEAN to exclude it
};

Effect EffectOf(uint32_t children, double level) {
  constexpr int kTrials = 600;
  // A half's slope has 1 / sqrt(2) of a quarter's deviation in a random walk, less in others.
  constexpr double kHalf = 1 / std::numbers::sqrt2;
  std::mt19937_64 random(children);
  std::normal_distribution<double> normal;
  // A level moves less from quarter to quarter than a slope does within one; low and high move
  // together, and are safely taken for independent.
  constexpr double kRise = 0.75;
  struct Child {
    double first, third, fourth, low, high;
  };
  std::vector<std::vector<Child>> cases;
  std::vector<double> upper_limits;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<Child> drawn;
    std::vector<double> second_halves;
    for (uint32_t i = 0; i < children; ++i) {
      drawn.push_back({normal(random) * kHalf, normal(random), normal(random),
                       normal(random) * kRise, normal(random) * kRise});
      second_halves.push_back(normal(random));
    }
    cases.push_back(std::move(drawn));
    upper_limits.push_back(SignedRankInterval(second_halves, level).second);
  }
  const auto quantile = upper_limits.begin() + static_cast<ptrdiff_t>(kPower * kTrials);
  std::nth_element(upper_limits.begin(), quantile, upper_limits.end());

  const auto critical = static_cast<double>(SignedRankCritical(children, level));
  const auto power = [&](double leak) {
    int found = 0;
    for (const std::vector<Child>& drawn : cases) {
      std::vector<double> evidence;
      for (const Child& child : drawn) {
        evidence.push_back(leak + std::min({child.third, child.fourth, child.low, child.high}) -
                           std::max(leak + child.first, 0.0) / 2);
      }
      found += SignedRankSum(evidence) >= critical;
    }
    return found / static_cast<double>(kTrials);
  };
  double low = 0;
  double high = 64;
  while (high - low > 0.01) {
    const double middle = (low + high) / 2;
    (power(middle) < kPower ? low : high) = middle;
  }
  return {.finds = high, .excludes = *quantile};
}

// The least leak per iteration that so many iterations find and exclude with kPower.
double Reach(const NoiseEstimate& noise, const Effect& effect, uint32_t iterations) {
  return std::max(effect.finds * SlopeDeviation(noise, iterations / 4.0),
                  effect.excludes * SlopeDeviation(noise, iterations / 2.0));
}

}  // namespace

uint32_t LeastChildren(double level) {
  return static_cast<uint32_t>(std::ceil(-std::log2(level) - 1e-9));
}

Status Check(const TrendRule& rule) {
  if (!(rule.level > 0 && rule.level <= 0.1)) {
    return BadValue("trend rule", "level", std::to_string(rule.level),
                    "expected above 0 and at most 0.1");
  }
  const uint32_t least = LeastChildren(rule.level);
  if (rule.children < least) {
    char level[32];
    std::snprintf(level, sizeof level, "%g", rule.level);
    return BadValue("trend rule", "children", std::to_string(rule.children),
                    "expected at least " + std::to_string(least) + ", or level " + level +
                        " could never be reached");
  }
  if (rule.iterations < kLeastIterations) {
    return BadValue("trend rule", "iterations", std::to_string(rule.iterations),
                    "expected at least " + std::to_string(kLeastIterations) + " after warm-up");
  }
  if (rule.wanted_bytes_per_iteration && !(*rule.wanted_bytes_per_iteration > 0)) {
    return BadValue("trend rule", "wanted_bytes_per_iteration",
                    std::to_string(*rule.wanted_bytes_per_iteration), "expected above 0");
  }
  return {};
}

TrendJudgement JudgeTrend(const TrendRule& rule, std::span<const std::vector<double>> children) {
  std::vector<double> second_halves;
  std::vector<double> evidence;
  for (const std::vector<double>& child : children) {
    if (child.size() < rule.warmup + std::max(kLeastIterations, rule.iterations / 2)) continue;
    const Slopes slopes = Measure(std::span(child).subspan(rule.warmup));
    second_halves.push_back(slopes.second_half);
    evidence.push_back(slopes.evidence);
  }
  TrendJudgement judgement;
  const uint32_t least = LeastChildren(rule.level);
  if (evidence.size() < least) {
    judgement.reason = "only " + std::to_string(evidence.size()) + " of the " +
                       std::to_string(least) + " children needed ran long enough";
    return judgement;
  }
  judgement.bytes_per_iteration = Median(second_halves);
  std::tie(judgement.lower_bytes_per_iteration, judgement.upper_bytes_per_iteration) =
      SignedRankInterval(second_halves, rule.level);
  const std::string count = std::to_string(evidence.size()) + " children";
  const double upper = std::max(judgement.upper_bytes_per_iteration, 0.0);
  if (SignedRankUpperTail(evidence) <= rule.level) {
    judgement.verdict = Verdict::kLeak;
    judgement.reason =
        "grows by " + Rate(judgement.bytes_per_iteration) + ", steadily to the end, in " + count;
  } else if (rule.wanted_bytes_per_iteration && upper <= *rule.wanted_bytes_per_iteration) {
    judgement.verdict = Verdict::kClean;
    judgement.reason = count + " exclude growth above " + Rate(upper) + ", as wanted";
  } else if (judgement.lower_bytes_per_iteration > 0) {
    judgement.verdict = Verdict::kGrowing;
    judgement.reason = "still grows by " + Rate(judgement.bytes_per_iteration) +
                       " in the second half of " + count + ", but slows down or steps";
  } else if (!rule.wanted_bytes_per_iteration) {
    judgement.verdict = Verdict::kClean;
    judgement.reason = count + " exclude growth above " + Rate(upper);
  } else {
    judgement.reason = count + " only exclude growth above " + Rate(upper) +
                       ", wanted: " + Rate(*rule.wanted_bytes_per_iteration) +
                       "; more children or iterations";
  }
  return judgement;
}

const char* NoisyMetricName(NoisyMetric metric) {
  switch (metric) {
    case NoisyMetric::kRssAnon:
      return "RssAnon";
    case NoisyMetric::kPss:
      return "PSS";
    case NoisyMetric::kPrivateDirty:
      return "private dirty";
    case NoisyMetric::kHighWaterMark:
      return "high-water mark";
    case NoisyMetric::kUnaccounted:
      return "unaccounted";
  }
  return "unknown";
}

Expected<NoisyMetric> NoisyMetricNamed(std::string_view name) {
  std::string all;
  for (uint8_t i = 0; i <= static_cast<uint8_t>(NoisyMetric::kUnaccounted); ++i) {
    const auto metric = static_cast<NoisyMetric>(i);
    if (name == NoisyMetricName(metric)) return metric;
    all += (i == 0 ? "" : ", ") + std::string(NoisyMetricName(metric));
  }
  return BadValue("", "metric", std::string(name), "expected one of " + all);
}

std::vector<double> MetricSeries(std::span<const Sample> samples, NoisyMetric metric) {
  std::vector<double> series;
  for (const Sample& sample : samples) {
    Count value;
    double ledger = 0;
    switch (metric) {
      case NoisyMetric::kRssAnon:
        value = sample.process.rss_anon_bytes;
        break;
      case NoisyMetric::kPss:
        value = sample.process.pss_bytes;
        break;
      case NoisyMetric::kPrivateDirty:
        value = sample.process.private_dirty_bytes;
        break;
      case NoisyMetric::kHighWaterMark:
        value = sample.process.hwm_bytes;
        break;
      case NoisyMetric::kUnaccounted:
        if (!sample.ledger) return {};
        value = sample.process.rss_anon_bytes;
        ledger = static_cast<double>(sample.ledger->harness_bytes);
        for (const ResourceKind kind : {ResourceKind::kHeap, ResourceKind::kMapping}) {
          ledger += static_cast<double>(sample.ledger->held[static_cast<size_t>(kind)].bytes);
        }
        break;
    }
    if (!value) return {};
    series.push_back(static_cast<double>(*value) - ledger);
  }
  return series;
}

NoiseEstimate EstimateNoise(std::span<const double> values) {
  if (values.size() < kLeastIterations) return {};
  const double slope = TheilSenSlope(values);
  // The mean squared difference over a lag h is walk^2 h + 2 stationary^2 once h exceeds the
  // memory of the stationary part: a line through two lags.
  const auto structure = [&](size_t lag) {
    double sum = 0;
    for (size_t i = lag; i < values.size(); ++i) {
      const double step = values[i] - values[i - lag] - slope * static_cast<double>(lag);
      sum += step * step;
    }
    return sum / static_cast<double>(values.size() - lag);
  };
  const size_t near = std::max<size_t>(kLeastLag, values.size() / 32);
  const size_t far = 4 * near;
  const double at_near = structure(near);
  const double at_far = structure(far);
  const double walk = std::max(0.0, (at_far - at_near) / static_cast<double>(far - near));
  const double stationary = std::max(0.0, at_near - walk * static_cast<double>(near)) / 2;
  return {.walk_bytes = std::sqrt(walk), .stationary_bytes = std::sqrt(stationary)};
}

Expected<TrendRule> PlanTrend(double wanted, const NoiseEstimate& noise, const TrendBudget& budget,
                              double level, uint32_t warmup) {
  TrendRule best = {.level = level,
                    .warmup = warmup,
                    .children = budget.most_children,
                    .iterations = budget.most_iterations,
                    .wanted_bytes_per_iteration = wanted};
  if (const Status valid = Check(best); !valid) return tl::unexpected(valid.error());
  const double reach = Reach(noise, EffectOf(best.children, level), best.iterations);
  if (reach > wanted) {
    return BadValue("trend rule", "wanted_bytes_per_iteration", FormatBytes(wanted),
                    std::to_string(budget.most_children) + " children of " +
                        std::to_string(budget.most_iterations) + " iterations reach no less than " +
                        FormatBytes(reach) + " per iteration at this noise");
  }
  for (uint32_t children = LeastChildren(level); children <= budget.most_children; ++children) {
    uint32_t low = kLeastIterations;
    uint32_t high = budget.most_iterations;
    const Effect effect = EffectOf(children, level);
    if (Reach(noise, effect, high) > wanted) continue;
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (Reach(noise, effect, middle) <= wanted) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    const auto cost = [&](uint64_t count, uint64_t iterations) {
      return count * (iterations + warmup);
    };
    if (cost(children, low) < cost(best.children, best.iterations)) {
      best.children = children;
      best.iterations = low;
    }
  }
  return best;
}

}  // namespace plimsoll
