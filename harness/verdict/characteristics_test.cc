#include "harness/verdict/characteristics.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/verdict/characteristics_report.h"
#include "harness/verdict/synthetic.h"

namespace plimsoll {
namespace {

constexpr TrialPlan kSmall = {.seed = 7, .trials = 6, .bounded_trials = 6};

RateRow Find(const std::vector<RateRow>& rows, const std::string& noise, const std::string& rule) {
  for (const RateRow& row : rows) {
    if (row.noise == noise && row.rule == rule) return row;
  }
  ADD_FAILURE() << "no row for " << rule << " under " << noise;
  return {};
}

TEST(WilsonInterval, AsPublished) {
  // Newcombe 1998, method 3: 81/263, 15/148, 0/20, 1/29.
  EXPECT_NEAR(WilsonInterval(81, 263).low, 0.2553, 1e-4);
  EXPECT_NEAR(WilsonInterval(81, 263).high, 0.3662, 1e-4);
  EXPECT_NEAR(WilsonInterval(15, 148).low, 0.0624, 1e-4);
  EXPECT_NEAR(WilsonInterval(15, 148).high, 0.1605, 1e-4);
  EXPECT_EQ(WilsonInterval(0, 20).low, 0);
  EXPECT_NEAR(WilsonInterval(0, 20).high, 0.1611, 1e-4);
  EXPECT_NEAR(WilsonInterval(1, 29).low, 0.0061, 1e-4);
  EXPECT_NEAR(WilsonInterval(1, 29).high, 0.1718, 1e-4);
}

TEST(MeasureRates, EqualSeedsGiveEqualFilesAndOthersDoNot) {
  const Pattern& pattern = SurvivorPattern("leak_p_0.1");
  const std::string csv = CharacteristicsCsv(MeasureRates(kSmall, pattern));
  EXPECT_EQ(csv, CharacteristicsCsv(MeasureRates(kSmall, pattern)));
  TrialPlan other = kSmall;
  other.seed = 8;
  EXPECT_NE(csv, CharacteristicsCsv(MeasureRates(other, pattern)));
  const std::string svg = CharacteristicsSvg(MeasureRates(kSmall, pattern));
  EXPECT_EQ(svg, CharacteristicsSvg(MeasureRates(kSmall, pattern)));
}

TEST(MeasureRates, SeeALeakInEveryIteration) {
  const std::vector<RateRow> rows = MeasureRates(kSmall, SurvivorPattern("leak_every_1"));
  for (const char* rule : {"survivor", "trend", "psleak", "cpython", "bleak", "mann_kendall_50"}) {
    EXPECT_EQ(Find(rows, "none", rule).flagged, 6u) << rule;
  }
  EXPECT_EQ(Find(rows, "none", "openvino").flagged, 0u);
  EXPECT_EQ(Find(rows, "none", "survivor").median_iterations, 128);
  EXPECT_EQ(Find(rows, "white", "trend").flagged, 6u);
}

TEST(MeasureRates, NoiseReachesTheNoisyRules) {
  TrialPlan plan = kSmall;
  plan.trials = 60;
  const std::vector<RateRow> rows = MeasureRates(plan, SurvivorPattern("idle"));
  EXPECT_EQ(Find(rows, "none", "mann_kendall_50").flagged, 0u);
  EXPECT_GE(Find(rows, "random_walk", "mann_kendall_50").flagged, 10u);
  EXPECT_GE(Find(rows, "saturating", "mann_kendall_50").flagged, 55u);
  EXPECT_EQ(Find(rows, "saturating", "trend").flagged, 0u);
  EXPECT_GE(Find(rows, "saturating", "trend").growing, 55u);
}

RateRow Row(const char* pattern, bool leaks, const char* rule, uint32_t flagged) {
  return {.pattern = pattern,
          .leaks = leaks,
          .noise = "none",
          .rule = rule,
          .trials = 1000,
          .flagged = flagged};
}

bool AllHold(const std::vector<RateRow>& rows) {
  for (const CharacteristicsBar& bar : CheckBars(rows)) {
    if (!bar.Holds()) return false;
  }
  return true;
}

TEST(CheckBars, HoldOrBreak) {
  EXPECT_TRUE(AllHold({Row("idle", false, "survivor", 1), Row("idle", false, "psleak", 900)}));
  EXPECT_FALSE(AllHold({Row("idle", false, "survivor", 2)}));
  EXPECT_FALSE(AllHold({Row("idle", false, "trend", 2)}));
  EXPECT_TRUE(AllHold({Row("leak_every_16", true, "survivor", 1000)}));
  EXPECT_FALSE(AllHold({Row("leak_every_16", true, "survivor", 999)}));
  EXPECT_TRUE(AllHold({Row("leak_p_0.1", true, "survivor", 950)}));
  EXPECT_FALSE(AllHold({Row("leak_p_0.1", true, "survivor", 949)}));
  EXPECT_TRUE(AllHold({Row("leak_p_0.03", true, "survivor_8192", 600)}));
  EXPECT_FALSE(AllHold({Row("leak_p_0.03", true, "survivor_8192", 599)}));
  RateRow excluded = Row("leak_p_0.1", true, "survivor", 990);
  excluded.wrongly_excluded = 1;
  EXPECT_FALSE(AllHold({excluded}));
}

TEST(Report, HasALineAndACellForEachRow) {
  const std::vector<RateRow> rows = {Row("idle", false, "survivor", 0),
                                     Row("idle", false, "psleak", 250)};
  const std::string csv = CharacteristicsCsv(rows);
  EXPECT_NE(csv.find("idle,bounded,none,psleak,1000,250,0.25,"), std::string::npos) << csv;
  const auto read = ReadCharacteristics("x.csv", csv);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(CharacteristicsCsv(*read), csv);
  EXPECT_FALSE(ReadCharacteristics("x.csv", csv + "a,b\n").has_value());
  const std::string svg = CharacteristicsSvg(rows);
  EXPECT_NE(svg.find("flagged 250 of 1000"), std::string::npos);
  EXPECT_NE(svg.find(">0.25</text>"), std::string::npos);
  EXPECT_NE(CharacteristicsText(rows).find("holds"), std::string::npos);
}

}  // namespace
}  // namespace plimsoll
