#include "scenarios/engines/torch/size_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace plimsoll {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> Take(const TorchOptions& options, int count) {
  SizeSchedule schedule(options);
  std::vector<int64_t> sizes;
  for (int i = 0; i < count; ++i) sizes.push_back(schedule.Next());
  return sizes;
}

TEST(SizeScheduleTest, OneSizeStays) {
  EXPECT_THAT(Take({.size = 32}, 3), ElementsAre(32, 32, 32));
}

TEST(SizeScheduleTest, CyclesInOrder) {
  EXPECT_THAT(Take({.size = 32, .sizes = 3, .size_step = 8}, 5), ElementsAre(32, 40, 48, 32, 40));
}

TEST(SizeScheduleTest, ShuffledShowsEverySizeOnceInEachRound) {
  const TorchOptions options = {.sizes = 50, .order = SizeOrder::kShuffled};
  const std::vector<int64_t> sizes = Take(options, 100);
  EXPECT_EQ(std::set(sizes.begin(), sizes.begin() + 50).size(), 50u);
  EXPECT_EQ(std::set(sizes.begin() + 50, sizes.end()).size(), 50u);
  EXPECT_FALSE(std::equal(sizes.begin(), sizes.begin() + 50, sizes.begin() + 50));
  EXPECT_EQ(sizes, Take(options, 100)) << "the same for the same seed";
}

TEST(SizeScheduleTest, RandomDrawsFromAllOfThem) {
  const std::vector<int64_t> sizes = Take({.sizes = 4, .order = SizeOrder::kRandom}, 200);
  EXPECT_EQ(std::set(sizes.begin(), sizes.end()).size(), 4u);
  EXPECT_NE(std::set(sizes.begin(), sizes.begin() + 4).size(), 0u);
}

}  // namespace
}  // namespace plimsoll
