#include "harness/verdict/pattern.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

std::vector<uint32_t> Every(uint32_t k, uint32_t phase, uint32_t m) {
  std::vector<uint32_t> positions;
  for (uint32_t position = phase; position <= m; position += k) positions.push_back(position);
  return positions;
}

TEST(FindPeriod, FindsEachPeriodInEachPhase) {
  for (const uint32_t k : {1u, 2u, 7u, 16u, 31u}) {
    for (uint32_t phase = 1; phase <= k; ++phase) {
      const auto period = FindPeriod(Every(k, phase, 1004), 1004, 502);
      ASSERT_TRUE(period.has_value()) << k;
      EXPECT_EQ(period->length, k);
      EXPECT_GE(period->slots, 502 / k);
      EXPECT_LE(period->slots, 502 / k + 1);
      EXPECT_EQ(period->search_bits, 1);
    }
  }
}

TEST(FindPeriod, SeesThePeriodAmongOthers) {
  std::vector<bool> taken(1005, false);
  for (const uint32_t position : Every(7, 3, 1004)) taken[position] = true;
  for (const uint32_t position : Every(11, 5, 800)) taken[position] = true;
  std::vector<uint32_t> positions;
  for (uint32_t i = 1; i < taken.size(); ++i) {
    if (taken[i]) positions.push_back(i);
  }
  ASSERT_TRUE(FindPeriod(positions, 1004, 502).has_value());
  EXPECT_EQ(FindPeriod(positions, 1004, 502)->length, 7u);
  // What is off the slots might as well be on others: the search is paid for in full.
  EXPECT_NEAR(FindPeriod(positions, 1004, 502)->search_bits, std::log2(7 * 7 * 8), 1e-12);
}

TEST(FindPeriod, SparseRandomPositionsHaveNoneThatConvinces) {
  // The chance in the second half is at most a half where the scenario's 40th iteration comes.
  std::mt19937 random(5);
  int convinced = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::vector<uint32_t> positions;
    for (const uint32_t position : Every(40, 9, 1004)) {
      if (position <= 502 || random() % 2 == 0) positions.push_back(position);
    }
    const auto period = FindPeriod(positions, 1004, 502);
    convinced += period && std::exp2(period->search_bits - period->slots) <= 1e-3;
  }
  // All of twelve or thirteen slots are taken once in 4,096 trials or less: 5 expected.
  EXPECT_LE(convinced, 15);
}

TEST(FindPeriod, OneMissingSlotInEitherHalfIsNoPeriod) {
  for (const size_t missing : {20, 120}) {
    std::vector<uint32_t> positions = Every(7, 3, 1004);
    positions.erase(positions.begin() + static_cast<ptrdiff_t>(missing));
    const auto period = FindPeriod(positions, 1004, 502);
    EXPECT_TRUE(!period || period->length % 7 == 0);
    EXPECT_TRUE(!period || period->length > 7);
  }
}

TEST(FindPeriod, RandomPositionsHaveNoneThatConvinces) {
  std::mt19937 random(3);
  int convinced = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<uint32_t> positions;
    for (uint32_t i = 1; i <= 492; ++i) {
      if (random() % 2 == 0) positions.push_back(i);
    }
    const auto period = FindPeriod(positions, 492, 246);
    convinced += period && std::exp2(period->search_bits - period->slots) <= 1e-3;
  }
  EXPECT_LE(convinced, 2);
}

TEST(Persists, NeedsSevenEighthsOfTheSecondHalf) {
  EXPECT_TRUE(Persists(Every(1, 1, 200), 200, 100));
  EXPECT_TRUE(Persists(Every(1, 1, 188), 200, 100));   // the last eighth is empty
  EXPECT_FALSE(Persists(Every(1, 1, 175), 200, 100));  // the last two are
  EXPECT_FALSE(Persists(Every(1, 1, 100), 200, 100));
}

TEST(Stopped, ComparesTheSilenceWithTheRate) {
  EXPECT_FALSE(Stopped(Every(1, 1, 200), 200, 100));
  EXPECT_FALSE(Stopped(Every(1, 1, 199), 200, 100));
  EXPECT_TRUE(Stopped(Every(1, 1, 190), 200, 100));
  EXPECT_FALSE(Stopped(Every(10, 5, 180), 200, 100));  // two missed: chance
  EXPECT_TRUE(Stopped(Every(10, 5, 1300), 2000, 1000));
}

std::string Describe(const Shape& shape, const std::vector<uint32_t>& positions) {
  return DescribePattern(shape, positions, 1000, 8);
}

TEST(DescribePattern, SaysItInWords) {
  EXPECT_EQ(Describe({.period = 1}, Every(1, 1, 1000)), "every iteration");
  EXPECT_EQ(Describe({.period = 2}, Every(2, 1, 1000)), "every 2nd iteration");
  EXPECT_EQ(Describe({.period = 3}, Every(3, 1, 1000)), "every 3rd iteration");
  EXPECT_EQ(Describe({.period = 7}, Every(7, 1, 1000)), "every 7th iteration");
  EXPECT_EQ(Describe({.period = 11}, Every(11, 1, 1000)), "every 11th iteration");
  EXPECT_EQ(Describe({.period = 21}, Every(21, 1, 1000)), "every 21st iteration");
  EXPECT_EQ(Describe({.period = 112}, Every(112, 1, 1000)), "every 112th iteration");
  EXPECT_EQ(Describe({}, Every(12, 1, 1000)), "about one in 12 iterations");
  EXPECT_EQ(Describe({}, {1, 300, 500, 999}), "about one in 250 iterations");
  EXPECT_EQ(Describe({}, {292}), "one step, at iteration 300");
  EXPECT_EQ(Describe({}, {292, 294, 300}), "one step, at iterations 300 to 308");
  EXPECT_EQ(Describe({.period = 1, .late = true}, {592, 593, 594}),
            "every iteration, from iteration 600 on");
  EXPECT_EQ(Describe({.late = true}, Every(2, 801, 1000)),
            "about one in 2.0 iterations, from iteration 809 on");
  EXPECT_EQ(Describe({.slowing = true}, Every(10, 1, 1000)),
            "about one in 10 iterations, slowing down");
}

}  // namespace
}  // namespace plimsoll
