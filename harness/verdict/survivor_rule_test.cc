#include "harness/verdict/survivor_rule.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

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
  const Rule rule;
  ASSERT_TRUE(Check(rule).has_value());
  for (uint64_t seed = 1; seed <= kTrials; ++seed) {
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

}  // namespace
}  // namespace plimsoll
