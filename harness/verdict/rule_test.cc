#include "harness/verdict/rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "harness/verdict/statistics.h"

namespace plimsoll {
namespace {

std::string Refusal(const Rule& rule) {
  const Status status = Check(rule);
  return status ? "" : status.error().message;
}

TEST(Rule, DefaultsHold) { EXPECT_EQ(Refusal(Rule()), ""); }

TEST(Rule, RefusesWhatCannotFailAndSaysWhatIsNeeded) {
  Rule rule;
  rule.first_look = 30;
  EXPECT_EQ(Refusal(rule),
            "rule: first_look: '30': expected at least 68 iterations, or with gap 20 no leak could "
            "be told from chance");
  rule = {};
  rule.max_iterations = 100;
  EXPECT_NE(Refusal(rule).find("at least first_look, 128 iterations"), std::string::npos);
  rule = {};
  rule.gap = 100;
  EXPECT_NE(Refusal(rule).find("at least 300 iterations"), std::string::npos);
  rule = {};
  rule.wanted_one_in_iterations = 1000;
  EXPECT_NE(Refusal(rule).find("needs max_iterations of at least 9003"), std::string::npos)
      << Refusal(rule);
  rule.max_iterations = 9003;
  EXPECT_EQ(Refusal(rule), "");
  rule.max_iterations = 9002;
  EXPECT_NE(Refusal(rule), "");
}

TEST(Rule, RefusesNonsense) {
  for (const double level : {0.0, -1.0, 0.5}) {
    Rule rule;
    rule.level = level;
    EXPECT_NE(Refusal(rule), "") << level;
  }
  Rule rule;
  rule.confidence = 1;
  EXPECT_NE(Refusal(rule), "");
  rule = {};
  rule.gap = 0;
  EXPECT_NE(Refusal(rule), "");
  rule = {};
  rule.bounds.emplace_back();
  EXPECT_NE(Refusal(rule), "");
}

TEST(Rule, LooksDoubleAndSpendTheWholeLevel) {
  Rule rule;
  rule.max_iterations = 1000;
  std::vector<uint32_t> iterations;
  double spent = 0;
  for (const Look& look : DecisionLooks(rule)) {
    iterations.push_back(look.iteration);
    spent += look.level;
  }
  EXPECT_EQ(iterations, (std::vector<uint32_t>{136, 264, 520, 1008}));
  EXPECT_NEAR(spent, rule.level, 1e-15);
  EXPECT_EQ(Looks(rule), (std::vector<uint32_t>{40, 72, 136, 264, 520, 1008}));
}

TEST(Rule, FloorPointsFillEveryWindowOutOfStep) {
  const Rule rule;
  const std::vector<uint32_t> points = FloorPoints(rule);
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
  uint32_t start = rule.warmup;
  for (const uint32_t end : Looks(rule)) {
    EXPECT_TRUE(std::binary_search(points.begin(), points.end(), end));
    EXPECT_EQ(std::count_if(points.begin(), points.end(),
                            [&](uint32_t point) { return point > start && point <= end; }),
              9);
    for (const uint32_t period : {2u, 3u, 5u, 10u}) {
      std::vector<uint32_t> phases;
      for (const uint32_t point : points) {
        if (point > start && point <= end) phases.push_back(point % period);
      }
      std::sort(phases.begin(), phases.end());
      EXPECT_GE(std::unique(phases.begin(), phases.end()) - phases.begin(), period < 5 ? 2 : 3)
          << "period " << period << ", window to " << end;
    }
    start = end;
  }
}

}  // namespace
}  // namespace plimsoll
