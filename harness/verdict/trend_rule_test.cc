#include "harness/verdict/trend_rule.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/verdict/synthetic_noise.h"

namespace plimsoll {
namespace {

constexpr uint32_t kTrials = 150;

std::vector<std::vector<double>> Children(const TrendRule& rule, Noise noise, double leak,
                                          uint32_t trial) {
  std::vector<std::vector<double>> children;
  for (uint32_t i = 0; i < rule.children; ++i) {
    children.push_back(
        NoisySeries(noise, leak, rule.warmup + rule.iterations, uint64_t{trial} * 1000 + i));
  }
  return children;
}

class EveryNoise : public testing::TestWithParam<Noise> {};

TEST_P(EveryNoise, WithoutALeakIsNeverLeak) {
  TrendRule rule;
  rule.iterations = 256;
  ASSERT_TRUE(Check(rule).has_value());
  for (uint32_t trial = 0; trial < kTrials; ++trial) {
    const TrendJudgement judgement = JudgeTrend(rule, Children(rule, GetParam(), 0, trial));
    EXPECT_NE(judgement.verdict, Verdict::kLeak) << "trial " << trial << ": " << judgement.reason;
  }
}

TEST_P(EveryNoise, ALeakIsFoundAndNeverExcluded) {
  TrendRule rule;
  rule.iterations = 256;
  for (uint32_t trial = 0; trial < kTrials / 3; ++trial) {
    const TrendJudgement judgement = JudgeTrend(rule, Children(rule, GetParam(), 2, trial));
    EXPECT_EQ(judgement.verdict, Verdict::kLeak) << "trial " << trial << ": " << judgement.reason;
    EXPECT_NEAR(judgement.bytes_per_iteration, 2, 1);
    EXPECT_GE(judgement.upper_bytes_per_iteration, 2) << "trial " << trial;
  }
}

INSTANTIATE_TEST_SUITE_P(Synthetic, EveryNoise, testing::ValuesIn(AllNoises()),
                         [](const testing::TestParamInfo<Noise>& instance) {
                           std::string name = NoiseName(instance.param);
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

// The program is the same in every child, and so are its teeth.
TEST(TrendRule, ASawtoothIsNoLeakWhereverItsTeethLie) {
  TrendRule rule;
  rule.iterations = 256;
  for (uint32_t period = 3; period <= 60; ++period) {
    for (uint32_t phase = 0; phase < period; phase += 4) {
      auto children = Children(rule, Noise::kWhite, 0, period);
      for (std::vector<double>& child : children) {
        for (uint32_t i = 0; i < child.size(); ++i) child[i] += 10.0 * ((i + phase) % period);
      }
      EXPECT_NE(JudgeTrend(rule, children).verdict, Verdict::kLeak) << period << ", " << phase;
      if (phase > 0) continue;
      for (std::vector<double>& child : children) {
        for (uint32_t i = 0; i < child.size(); ++i) child[i] += 20.0 * i;
      }
      EXPECT_EQ(JudgeTrend(rule, children).verdict, Verdict::kLeak) << period;
    }
  }
}

TEST(TrendRule, SaturatingGrowthIsGrowingUnlessSmallEnough) {
  TrendRule rule;
  rule.iterations = 256;
  const auto children = Children(rule, Noise::kSaturating, 0, 1);
  EXPECT_EQ(JudgeTrend(rule, children).verdict, Verdict::kGrowing);
  rule.wanted_bytes_per_iteration = 1;
  EXPECT_EQ(JudgeTrend(rule, children).verdict, Verdict::kClean);
}

TEST(TrendRule, CleanOnlyWithTheWantedBound) {
  TrendRule rule;
  rule.iterations = 256;
  const auto children = Children(rule, Noise::kWalk, 0, 3);
  const TrendJudgement open = JudgeTrend(rule, children);
  ASSERT_EQ(open.verdict, Verdict::kClean) << open.reason;
  ASSERT_GT(open.upper_bytes_per_iteration, 0);
  rule.wanted_bytes_per_iteration = open.upper_bytes_per_iteration * 1.01;
  EXPECT_EQ(JudgeTrend(rule, children).verdict, Verdict::kClean);
  rule.wanted_bytes_per_iteration = open.upper_bytes_per_iteration * 0.99;
  const TrendJudgement wanting = JudgeTrend(rule, children);
  EXPECT_EQ(wanting.verdict, Verdict::kInconclusive);
  EXPECT_NE(wanting.reason.find("only exclude growth above"), std::string::npos);
}

TEST(TrendRule, TooFewChildrenIsNoVerdict) {
  TrendRule rule;
  rule.children = 9;
  ASSERT_FALSE(Check(rule).has_value());
  EXPECT_NE(Check(rule).error().message.find("at least 10"), std::string::npos);
  rule.children = 10;
  auto children = Children(rule, Noise::kWhite, 5, 1);
  children[4].resize(100);
  const TrendJudgement judgement = JudgeTrend(rule, children);
  EXPECT_EQ(judgement.verdict, Verdict::kInconclusive);
  EXPECT_EQ(judgement.reason, "only 9 of the 10 children needed ran long enough");
}

TEST(TrendRule, RefusesNonsense) {
  TrendRule rule;
  rule.iterations = 31;
  EXPECT_FALSE(Check(rule).has_value());
  rule = {};
  rule.level = 0;
  EXPECT_FALSE(Check(rule).has_value());
  rule = {};
  rule.wanted_bytes_per_iteration = 0;
  EXPECT_FALSE(Check(rule).has_value());
}

TEST(EstimateNoise, TellsAWalkFromStationaryNoise) {
  double walk_of_walk = 0;
  double stationary_of_white = 0;
  double walk_of_white = 0;
  for (uint32_t trial = 0; trial < 20; ++trial) {
    // A leak in the pilot must not pass for noise.
    const NoiseEstimate walk = EstimateNoise(NoisySeries(Noise::kWalk, 0, 512, trial));
    const NoiseEstimate white = EstimateNoise(NoisySeries(Noise::kWhite, 3, 512, trial));
    walk_of_walk += walk.walk_bytes / 20;
    stationary_of_white += white.stationary_bytes / 20;
    walk_of_white += white.walk_bytes / 20;
  }
  EXPECT_NEAR(walk_of_walk, 1, 0.25);
  EXPECT_NEAR(stationary_of_white, 1, 0.15);
  EXPECT_LT(walk_of_white, 0.1);
  EXPECT_EQ(EstimateNoise(std::vector<double>(31, 1.0)).stationary_bytes, 0);
}

TEST(PlanTrend, KeepsItsPromise) {
  struct Setting {
    Noise noise;
    NoiseEstimate estimate;
    double wanted;
  };
  for (const Setting& setting :
       {Setting{Noise::kWalk, {.walk_bytes = 1, .stationary_bytes = 0}, 0.8},
        Setting{Noise::kWhite, {.walk_bytes = 0, .stationary_bytes = 1}, 0.02}}) {
    const Expected<TrendRule> rule = PlanTrend(setting.wanted, setting.estimate, TrendBudget());
    ASSERT_TRUE(rule.has_value()) << rule.error().message;
    int found = 0;
    int clean = 0;
    constexpr uint32_t kPlanTrials = 60;
    for (uint32_t trial = 0; trial < kPlanTrials; ++trial) {
      found += JudgeTrend(*rule, Children(*rule, setting.noise, setting.wanted, trial)).verdict ==
               Verdict::kLeak;
      clean +=
          JudgeTrend(*rule, Children(*rule, setting.noise, 0, trial)).verdict == Verdict::kClean;
    }
    // 95 % each; 60 trials fall below 51 once in 10,000.
    EXPECT_GE(found, 51) << NoiseName(setting.noise) << " " << rule->children << " x "
                         << rule->iterations;
    EXPECT_GE(clean, 51) << NoiseName(setting.noise);
  }
}

TEST(PlanTrend, RefusesWhatTheBudgetCannotReach) {
  const NoiseEstimate noise = {.walk_bytes = 100 << 10, .stationary_bytes = 0};
  const TrendBudget budget = {.most_children = 12, .most_iterations = 512};
  const Expected<TrendRule> rule = PlanTrend(64, noise, budget);
  ASSERT_FALSE(rule.has_value());
  EXPECT_NE(rule.error().message.find("12 children of 512 iterations reach no less than"),
            std::string::npos)
      << rule.error().message;
  EXPECT_FALSE(PlanTrend(64, noise, {.most_children = 5, .most_iterations = 512}).has_value());
  // With more to spend, a smaller leak.
  const double wanted = 64 << 10;
  const auto cheap = PlanTrend(wanted, noise, TrendBudget());
  const auto dear = PlanTrend(wanted / 2, noise, TrendBudget());
  ASSERT_TRUE(cheap.has_value() && dear.has_value());
  EXPECT_GT(uint64_t{dear->children} * dear->iterations,
            uint64_t{cheap->children} * cheap->iterations);
}

TEST(MetricSeries, IsAbsentWhereASampleIs) {
  std::vector<Sample> samples(3);
  EXPECT_TRUE(MetricSeries(samples, NoisyMetric::kRssAnon).empty());
  for (Sample& sample : samples) sample.process.rss_anon_bytes = 5000;
  EXPECT_EQ(MetricSeries(samples, NoisyMetric::kRssAnon), std::vector<double>(3, 5000));
  EXPECT_TRUE(MetricSeries(samples, NoisyMetric::kUnaccounted).empty());
  for (Sample& sample : samples) {
    sample.ledger = LedgerCounters();
    sample.ledger->held[static_cast<size_t>(ResourceKind::kHeap)].bytes = 1000;
    sample.ledger->held[static_cast<size_t>(ResourceKind::kMapping)].bytes = 300;
    sample.ledger->held[static_cast<size_t>(ResourceKind::kDescriptor)].bytes = 7;
  }
  EXPECT_EQ(MetricSeries(samples, NoisyMetric::kUnaccounted), std::vector<double>(3, 3700));
  EXPECT_TRUE(MetricSeries(samples, NoisyMetric::kPss).empty());
}

}  // namespace
}  // namespace plimsoll
