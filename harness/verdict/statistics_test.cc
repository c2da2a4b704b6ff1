#include "harness/verdict/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace plimsoll {
namespace {

TEST(BinomialUpperTail, MatchesExactFractions) {
  EXPECT_EQ(BinomialUpperTail(5, 0.5, 0), 1);
  EXPECT_EQ(BinomialUpperTail(5, 0.5, 6), 0);
  EXPECT_NEAR(BinomialUpperTail(5, 0.5, 5), 1 / 32., 1e-15);
  EXPECT_NEAR(BinomialUpperTail(6, 1 / 3., 6), std::pow(3, -6), 1e-15);
  EXPECT_NEAR(BinomialUpperTail(4, 1 / 3., 2), (6 * 4 + 4 * 2 + 1) / 81., 1e-14);
  // 2^-1074 would be 0 without logarithms of the factors.
  EXPECT_NEAR(std::log2(BinomialUpperTail(1000, 0.5, 1000)), -1000, 1e-9);
}

TEST(BinomialUpperTail, SumsFromBelowTheMean) {
  double expected = 1;
  for (int k = 0; k < 40; ++k) {
    EXPECT_NEAR(BinomialUpperTail(100, 0.3, static_cast<uint64_t>(k)), expected, 1e-12) << k;
    double term = 1;
    for (int i = 0; i < k; ++i) term *= (100.0 - i) / (i + 1) * 0.3 / 0.7;
    expected -= term * std::pow(0.7, 100);
  }
}

TEST(PositionScore, IsStandardNormalForRandomPositions) {
  std::mt19937 random(1);
  double sum = 0;
  double squares = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<uint32_t> all(60);
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = i + 1;
    std::shuffle(all.begin(), all.end(), random);
    const double score = PositionScore(std::span(all).first(25), 60);
    sum += score;
    squares += score * score;
  }
  EXPECT_NEAR(sum / kTrials, 0, 0.05);
  EXPECT_NEAR(squares / kTrials, 1, 0.08);
  const std::vector<uint32_t> early = {1, 2, 3, 4, 5};
  EXPECT_LT(PositionScore(early, 60), -3);
  const std::vector<uint32_t> late = {56, 57, 58, 59, 60};
  EXPECT_GT(PositionScore(late, 60), 3);
  EXPECT_EQ(PositionScore(early, 5), 0);
}

TEST(ExcludedOneIn, IsTheRuleOfThreeAtNinetyFivePercent) {
  EXPECT_NEAR(ExcludedOneIn(108, 0.95), 36.55, 0.01);
  EXPECT_NEAR(ExcludedOneIn(3000, 0.95), 1001.9, 0.1);
  EXPECT_EQ(ExcludedOneIn(0, 0.95), 0);
  // What is excluded had exactly the chance 1 - confidence to stay unseen.
  EXPECT_NEAR(std::pow(1 - 1 / ExcludedOneIn(54, 0.999), 54), 0.001, 1e-12);
}

TEST(NormalUpperQuantile, KnowsTheTables) {
  EXPECT_NEAR(NormalUpperQuantile(0.5), 0, 1e-12);
  EXPECT_NEAR(NormalUpperQuantile(0.025), 1.959964, 1e-6);
  EXPECT_NEAR(NormalUpperQuantile(0.001), 3.090232, 1e-6);
  EXPECT_NEAR(NormalUpperQuantile(0.95), -1.644854, 1e-6);
}

TEST(Median, OddEvenEmpty) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({9, 1, 5, 6}), 5.5);
}

TEST(TheilSenSlope, SeesTheLineThroughWildPoints) {
  std::vector<double> values;
  for (int i = 0; i < 40; ++i) values.push_back(100 + 2.5 * i);
  EXPECT_EQ(TheilSenSlope(values), 2.5);
  for (const size_t wild : {3, 11, 19, 27, 35}) values[wild] = 1e9;
  EXPECT_NEAR(TheilSenSlope(values), 2.5, 0.2);
  EXPECT_EQ(TheilSenSlope(std::vector<double>{7}), 0);
}

TEST(TheilSenSlope, ThinsLongSeriesWithoutBias) {
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) values.push_back(0.125 * i);
  EXPECT_NEAR(TheilSenSlope(values), 0.125, 1e-12);
}

TEST(SignedRank, TailsAreExact) {
  EXPECT_EQ(SignedRankUpperTail(std::vector<double>{1, 2, 3, 4, 5}), 1 / 32.);
  EXPECT_EQ(SignedRankUpperTail(std::vector<double>{-1, 2, 3, 4, 5}), 2 / 32.);
  // Ranks 3, 4, 5 = 12 of 15: 12, 13, 14 and 15 can be had in 2 + 1 + 1 + 1 ways.
  EXPECT_EQ(SignedRankUpperTail(std::vector<double>{-1, -2, 3, 4, 5}), 5 / 32.);
  EXPECT_EQ(SignedRankUpperTail(std::vector<double>{-1, -2, -3}), 1);
  // A zero is no evidence.
  EXPECT_EQ(SignedRankUpperTail(std::vector<double>{0, 2, 3, 4, 5}), 2 / 32.);
  EXPECT_EQ(SignedRankUpperTail(std::vector<double>(10, 0.0)), 1);
}

TEST(SignedRank, IntervalAgreesWithTheTest) {
  const std::vector<double> values = {3.1, 0.2, 5.7, 2.2, -1.4, 4.4, 1.9, 2.5, 3.3, 0.7, 6.1, 2.8};
  for (const double level : {0.05, 0.01, 0.001}) {
    const auto [low, high] = SignedRankInterval(values, level);
    const auto tail = [&](double centre, double sign) {
      std::vector<double> shifted;
      for (const double value : values) shifted.push_back(sign * (value - centre));
      return SignedRankUpperTail(shifted);
    };
    EXPECT_LE(tail(low - 1e-9, 1), level);
    EXPECT_GT(tail(low + 1e-9, 1), level);
    EXPECT_LE(tail(high + 1e-9, -1), level);
    EXPECT_GT(tail(high - 1e-9, -1), level);
  }
  EXPECT_EQ(SignedRankInterval(std::vector<double>{1, 2, 3}, 0.001).second, INFINITY);
}

TEST(Median, OfManyValuesIsExact) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 300; ++trial) {
    // Of all sizes, spreads and numbers of ties; some in order.
    std::vector<double> values;
    const size_t size = 900 + random() % 700;
    const size_t distinct = 1 + random() % (trial % 3 == 0 ? 3 : 3000);
    for (size_t i = 0; i < size; ++i) values.push_back(static_cast<double>(random() % distinct));
    if (trial % 5 == 0) std::sort(values.begin(), values.end());
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    const double expected =
        size % 2 == 1 ? sorted[size / 2] : (sorted[size / 2] + sorted[size / 2 - 1]) / 2;
    EXPECT_EQ(Median(values), expected) << "trial " << trial;
  }
}

}  // namespace
}  // namespace plimsoll
