#include "harness/verdict/survivor_rule.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "harness/verdict/statistics.h"
#include "harness/verdict/synthetic.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {
namespace {

constexpr int kTrials = 200;

// The judgement at which a run of the pattern ends.
Judgement RunUntilDecided(const Rule& rule, const Pattern& pattern, uint64_t seed) {
  const SyntheticRun run = RunPattern(rule, pattern, seed);
  for (size_t i = 1; i <= run.snapshots.size(); ++i) {
    Judgement judgement = Judge(rule, std::span(run.snapshots).first(i), {});
    if (judgement.decided) return judgement;
  }
  ADD_FAILURE() << pattern.name << ": never decided";
  return {};
}

class EveryPattern : public testing::TestWithParam<Pattern> {};

TEST_P(EveryPattern, BoundedIsNeverLeakAndLeakNeverExcludedByClean) {
  Rule rule;
  rule.input_cycle = GetParam().input_cycle;
  ASSERT_TRUE(Check(rule).has_value());
  // Hundreds of sites take their time.
  const bool large = GetParam().name.find("crowd") == 0;
  for (uint64_t seed = 1; seed <= (large ? kTrials / 5 : kTrials); ++seed) {
    const Judgement judgement = RunUntilDecided(rule, GetParam(), seed);
    if (!GetParam().leaks) {
      EXPECT_NE(judgement.verdict, Verdict::kLeak) << "seed " << seed << ": " << judgement.reason;
    }
    if (judgement.verdict == Verdict::kClean) {
      ASSERT_TRUE(judgement.growth.minimum_detectable.has_value());
      EXPECT_LE(GetParam().rate * judgement.growth.minimum_detectable->one_in_iterations, 1)
          << "seed " << seed << ": " << judgement.reason;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Synthetic, EveryPattern, testing::ValuesIn([] {
                           std::vector<Pattern> patterns;
                           for (const Pattern& pattern : SurvivorPatterns()) {
                             // A leak that starts after an early CLEAN was not there to be found.
                             if (pattern.name != "every_1_from_600") patterns.push_back(pattern);
                           }
                           return patterns;
                         }()),
                         [](const testing::TestParamInfo<Pattern>& instance) {
                           std::string name = instance.param.name;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

void ExpectLeakBy(const std::string& pattern, uint32_t iterations, uint32_t period) {
  for (uint64_t seed = 1; seed <= kTrials; ++seed) {
    const Judgement judgement = RunUntilDecided(Rule(), SurvivorPattern(pattern), seed);
    ASSERT_EQ(judgement.verdict, Verdict::kLeak) << "seed " << seed << ": " << judgement.reason;
    EXPECT_LE(judgement.iterations, iterations) << "seed " << seed;
    ASSERT_EQ(judgement.findings.size(), 1u);
    EXPECT_EQ(judgement.findings[0].period, period);
    EXPECT_EQ(judgement.findings[0].bytes_per_iteration, 64.0 / period);
    EXPECT_EQ(judgement.growth.bytes_per_iteration, 64.0 / period);
  }
}

TEST(SurvivorRule, FindsRegularLeaksInTimeWithTheirExactRate) {
  ExpectLeakBy("leak_every_1", 128, 1);
  ExpectLeakBy("leak_every_2", 128, 2);
  ExpectLeakBy("leak_every_7", 512, 7);
  ExpectLeakBy("leak_every_16", 1024, 16);
}

// The share of `trials` runs that end as LEAK within the rule's budget.
double LeakShare(const Rule& rule, const std::string& pattern, int trials) {
  int leaks = 0;
  for (int seed = 1; seed <= trials; ++seed) {
    leaks += RunUntilDecided(rule, SurvivorPattern(pattern), static_cast<uint64_t>(seed)).verdict ==
             Verdict::kLeak;
  }
  return leaks / static_cast<double>(trials);
}

TEST(SurvivorRule, FindsRandomLeaks) {
  Rule rule;
  EXPECT_GE(LeakShare(rule, "leak_p_0.1", 400), 0.95);
  rule.max_iterations = 8192;
  EXPECT_GE(LeakShare(rule, "leak_p_0.03", 100), 0.6);
}

TEST(SurvivorRule, FindsLeaksUnderBoundedChurn) {
  const Rule rule;
  for (const char* pattern :
       {"sawtooth_10_and_every_1", "ring_60_and_every_7", "random_key_cache_64_and_every_7",
        "crowd_and_every_7", "crowd_at_one_site_and_every_7", "vector_doubles",
        "vector_grows_each_time", "wandering_every_1"}) {
    EXPECT_EQ(LeakShare(rule, pattern, 20), 1) << pattern;
  }
  EXPECT_GE(LeakShare(rule, "last_result_and_p_0.1", 100), 0.85);
}

// Rings, caches and vectors that fill up must not only not leak but settle.
TEST(SurvivorRule, BoundedPatternsSettle) {
  const Rule rule;
  for (const char* name :
       {"random_key_cache_64", "sawtooth_10", "sawtooth_up_to_60", "lru_16", "ring_up_to_100",
        "ring_16_one_in_4", "random_replacement_64", "vector_doubles_to_64",
        "vector_doubles_to_300", "last_result_one_in_50", "last_result_every", "burst_of_60",
        "full_cache_200", "fills_in_100", "step_late"}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      const Judgement judgement = RunUntilDecided(rule, SurvivorPattern(name), seed);
      EXPECT_EQ(judgement.verdict, Verdict::kClean) << name << ", seed " << seed;
    }
  }
}

// P(Bin(X1 + X2, 1/3) >= X2) is exact for Poisson counts; for epochs that count or not it must
// err on the safe side wherever the second half's chance is half the first's.
TEST(SurvivorRule, TestOfCountsKeepsItsLevel) {
  const auto chances = [](uint32_t n, double p) {
    std::vector<double> table;
    for (uint32_t k = 0; k <= n; ++k) {
      table.push_back(BinomialUpperTail(n, p, k) - BinomialUpperTail(n, p, k + 1));
    }
    return table;
  };
  for (const uint32_t half : {54u, 118u, 246u}) {
    for (const double level : {3e-5, 2.6e-4, 1e-3}) {
      for (double p = 0.05; p < 0.99; p += 0.1) {
        const std::vector<double> first = chances(half, p);
        const std::vector<double> second = chances(half, p / 2);
        double rejected = 0;
        for (uint32_t x1 = 0; x1 <= half; ++x1) {
          for (uint32_t x2 = 0; x2 <= half; ++x2) {
            const double chance = first[x1] * second[x2];
            if (chance > 1e-12 && BinomialUpperTail(x1 + x2, 1 / 3., x2) <= level) {
              rejected += chance;
            }
          }
        }
        EXPECT_LE(rejected, level) << "half " << half << ", p " << p;
      }
    }
  }
}

}  // namespace
}  // namespace plimsoll
