#ifndef HARNESS_VERDICT_TREND_RULE_H_
#define HARNESS_VERDICT_TREND_RULE_H_

// The rule for noisy counters (RssAnon, PSS, high-water mark, memory the ledger does not
// see): repeats the case in several child processes. Pure functions; thread-safe.
//
// The samples of one process are no independent evidence: RSS wanders, steps and saturates,
// and any trend test on one series is fooled. The unit is a child. Of each, after warm-up:
// s1 is the Theil-Sen slope of the first half, s2 of the second, s3 and s4 of the third and
// last quarter.
//  - LEAK when Wilcoxon's signed-rank test on min(s3, s4, low, high) - s1 / 2 (no less than 0
//    taken for s1) is significant at the level: growth in both quarters, so that one step is
//    not enough; at more than half the first half's rate, so that saturation is not; and of
//    low and high, the first and last tenth of the values, per iteration from the third quarter
//    to the last, so that the teeth of a saw, which lie alike in every child, are not.
//  - else CLEAN, when the distribution-free upper bound of s2's centre, which is what CLEAN
//    excludes, is at most the wanted minimum detectable leak;
//  - else GROWING, when s2 is proven positive;
//  - else CLEAN when none is wanted, and INCONCLUSIVE when it is.
// Under symmetric noise each of LEAK and the bound errs with at most `level`. At least
// log2(1 / level) children are needed: 10 for 1e-3.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/sample.h"

namespace plimsoll {

struct TrendRule {
  double level = 1e-3;
  uint32_t warmup = 8;
  uint32_t children = 10;
  uint32_t iterations = 512;  // of each child, after warm-up
  std::optional<double> wanted_bytes_per_iteration;
};

// With fewer children not even growth in every one of them reaches the level.
uint32_t LeastChildren(double level);

// Refuses too few children or iterations for a LEAK ever to be found, saying what is needed.
Status Check(const TrendRule& rule);

struct TrendJudgement {
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;              // one sentence
  double bytes_per_iteration = 0;  // median s2
  // s2's centre lies outside either with at most probability TrendRule::level.
  double lower_bytes_per_iteration = 0;
  double upper_bytes_per_iteration = 0;  // what CLEAN excludes
};

// REQUIRES: Check(rule) succeeds. `children` holds one value per iteration of each child, in
// bytes, warm-up included. Children with fewer than half the iterations are left out; if
// the rest are too few, INCONCLUSIVE.
TrendJudgement JudgeTrend(const TrendRule& rule, std::span<const std::vector<double>> children);

// What can be judged so. kUnaccounted is RssAnon minus the ledger's heap and mappings and the
// ledger itself: grown
// by drivers, JIT compilers, stacks, direct system calls, and by what malloc keeps.
enum class NoisyMetric : uint8_t { kRssAnon, kPss, kPrivateDirty, kHighWaterMark, kUnaccounted };
// "RssAnon", "PSS", "private dirty", "high-water mark", "unaccounted".
const char* NoisyMetricName(NoisyMetric metric);
// The metric of that name; the error says which there are.
Expected<NoisyMetric> NoisyMetricNamed(std::string_view name);
// The metric of each sample in bytes; empty when any sample lacks it.
std::vector<double> MetricSeries(std::span<const Sample> samples, NoisyMetric metric);

// How a counter without a leak moves: a random walk plus a stationary part.
struct NoiseEstimate {
  double walk_bytes = 0;        // standard deviation of its step per iteration
  double stationary_bytes = 0;  // standard deviation
};

// From one pilot series after warm-up, its Theil-Sen trend taken out. Zeros for fewer than 32
// values.
NoiseEstimate EstimateNoise(std::span<const double> values);

struct TrendBudget {
  uint32_t most_children = 32;
  uint32_t most_iterations = 4096;  // of each
};

// The cheapest rule (children x iterations) that, under `noise`, has a 95 % chance to call a
// leak of `wanted` bytes per iteration LEAK, and to call no leak CLEAN with `wanted` excluded.
// Fails when the budget does not reach that, and says how small a leak it does reach.
Expected<TrendRule> PlanTrend(double wanted, const NoiseEstimate& noise, const TrendBudget& budget,
                              double level = 1e-3, uint32_t warmup = 8);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_TREND_RULE_H_
