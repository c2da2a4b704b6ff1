#include "harness/runner/children.h"

#include <algorithm>
#include <utility>

namespace plimsoll {
namespace {

constexpr uint32_t kUsualIterations = 256;

double LevelOfEach(const ChildrenOptions& options) {
  return options.level / static_cast<double>(std::max<size_t>(1, options.metrics.size()));
}

TrendRule RuleFor(const ChildrenOptions& options, uint32_t warmup) {
  TrendRule rule;
  rule.level = LevelOfEach(options);
  rule.warmup = warmup;
  rule.children = options.children.value_or(LeastChildren(rule.level));
  rule.iterations = options.iterations.value_or(kUsualIterations);
  rule.wanted_bytes_per_iteration = options.wanted_bytes_per_iteration;
  return rule;
}

// The rule that reaches the wanted leak for the noisiest of the metrics.
Expected<TrendRule> Plan(const ChildrenOptions& options, uint32_t warmup,
                         const std::vector<Sample>& pilot) {
  TrendRule rule = RuleFor(options, warmup);
  if (!options.wanted_bytes_per_iteration.has_value() || options.children.has_value()) return rule;
  rule.iterations = 0;
  for (const NoisyMetric metric : options.metrics) {
    const std::vector<double> series = MetricSeries(pilot, metric);
    if (series.size() <= warmup) continue;
    const Expected<TrendRule> planned = PlanTrend(*options.wanted_bytes_per_iteration,
                                                  EstimateNoise(std::span(series).subspan(warmup)),
                                                  options.budget, rule.level, warmup);
    if (!planned.has_value()) return planned;
    rule.children = std::max(rule.children, planned->children);
    rule.iterations = std::max(rule.iterations, planned->iterations);
  }
  if (rule.iterations == 0) rule.iterations = kUsualIterations;
  return rule;
}

// A case without looks on the way: all its children run equally long, and at least as long as
// the rule for exact counters, which leads them, needs.
CaseSpec FixedLength(const CaseSpec& spec, uint32_t iterations) {
  CaseSpec fixed = spec;
  do {
    fixed.rule.max_iterations = iterations;
    fixed.rule.first_look = iterations;
    iterations += 16;
  } while (!Check(fixed.rule).has_value() && iterations < kUsualIterations);
  fixed.rule.wanted_one_in_iterations.reset();
  fixed.capture_stacks = false;
  if (fixed.watch.has_value()) fixed.watch->end_when_decided = true;
  return fixed;
}

// How bad: a worse trend takes the verdict over.
int Rank(Verdict verdict) {
  switch (verdict) {
    case Verdict::kClean:
      return 0;
    case Verdict::kInconclusive:
      return 1;
    case Verdict::kGrowing:
      return 2;
    case Verdict::kOver:
      return 3;
    case Verdict::kLeak:
      return 4;
    case Verdict::kError:
      return 5;
  }
  return 5;
}

bool NeedFullSamples(const std::vector<NoisyMetric>& metrics) {
  return std::any_of(metrics.begin(), metrics.end(), [](NoisyMetric metric) {
    return metric == NoisyMetric::kPss || metric == NoisyMetric::kPrivateDirty;
  });
}

bool LedgerEnters(const CaseSpec& spec) {
  return !spec.watch.has_value() || spec.watch->ledger_enters;
}

void Conclude(bool ledger_judged, CaseResult& result) {
  const TrendResult* worst = nullptr;
  for (const TrendResult& trend : result.trends) {
    if (worst == nullptr || Rank(trend.verdict) > Rank(worst->verdict)) worst = &trend;
  }
  if (worst == nullptr) return;
  const std::string said = worst->metric + ": " + worst->reason;
  if (ledger_judged && Rank(worst->verdict) <= Rank(result.verdict)) {
    result.reason += "; " + said;
    return;
  }
  result.reason = said + (ledger_judged ? "; the ledger: " + result.reason : "");
  result.verdict = worst->verdict;
  result.growth.bytes_per_iteration = worst->bytes_per_iteration;
  result.growth.minimum_detectable.reset();
}

}  // namespace

Status Check(const ChildrenOptions& options) {
  if (options.metrics.empty()) {
    return BadValue("children", "metrics", "", "expected at least one noisy metric");
  }
  return Check(RuleFor(options, /*warmup=*/0));
}

CaseResult RunChildren(const CaseSpec& spec, const ChildrenOptions& options,
                       const std::string& ledger, CaseObserver& observer) {
  const bool enters = LedgerEnters(spec);
  // Without a ledger the first child is a pilot only.
  CaseSpec first = enters ? spec : FixedLength(spec, options.iterations.value_or(kUsualIterations));
  first.full_samples = NeedFullSamples(options.metrics);
  CaseResult result = RunCase(first, ledger, observer);
  if (result.skipped || result.verdict == Verdict::kError || result.verdict == Verdict::kLeak ||
      result.samples.empty()) {
    return result;
  }
  const Expected<TrendRule> rule = Plan(options, spec.rule.warmup, result.samples);
  if (!rule.has_value()) {
    result.verdict = Verdict::kInconclusive;
    result.reason = rule.error().message;
    return result;
  }
  CaseSpec fixed = FixedLength(spec, rule->iterations);
  fixed.full_samples = first.full_samples;
  const uint32_t iterations = fixed.rule.max_iterations;
  std::vector<std::vector<std::vector<double>>> series(options.metrics.size());
  for (uint32_t child = 0; child < rule->children; ++child) {
    CaseResult run = RunCase(fixed, ledger, observer);
    result.seconds += run.seconds;
    if (run.verdict == Verdict::kError) {
      result.verdict = Verdict::kError;
      result.reason = "child " + std::to_string(child + 1) + " of " +
                      std::to_string(rule->children) + ": " + run.reason;
      result.last_output = std::move(run.last_output);
      return result;
    }
    if (observer.Cancelled()) break;
    for (size_t i = 0; i < options.metrics.size(); ++i) {
      series[i].push_back(MetricSeries(run.samples, options.metrics[i]));
    }
  }
  for (size_t i = 0; i < options.metrics.size(); ++i) {
    const TrendJudgement judgement = JudgeTrend(*rule, series[i]);
    TrendResult trend;
    trend.metric = NoisyMetricName(options.metrics[i]);
    trend.verdict = judgement.verdict;
    trend.reason = judgement.reason;
    trend.bytes_per_iteration = judgement.bytes_per_iteration;
    trend.upper_bytes_per_iteration = judgement.upper_bytes_per_iteration;
    trend.children = rule->children;
    trend.iterations = iterations;
    result.trends.push_back(std::move(trend));
  }
  Conclude(enters, result);
  return result;
}

}  // namespace plimsoll
