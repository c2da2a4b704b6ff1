#include "harness/leak_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

using testing::HasSubstr;
using testing::Not;

// The planted leak: reachable, 64 bytes in one block.
__attribute__((noinline)) void RememberLabel() {
  char* block = static_cast<char*>(std::malloc(64));
  *block = '!';
  static auto* const blocks = [] {
    auto* list = new std::vector<char*>();
    list->reserve(size_t{1} << 16);
    return list;
  }();
  blocks->push_back(block);
}

LEAK_TEST(LeakTest, WorkThatIsUndoneIsClean) {
  const std::vector<int> numbers(1000, 1);
  EXPECT_EQ(numbers.back(), 1);
}

LEAK_TEST_WITH(LeakTest, ReachableLeakIsCaughtByItsFunction,
               LeakTestOptions()
                   .ExpectLeak(ResourceKind::kHeap, "RememberLabel")
                   .ExpectBytesPerIteration(64)) {
  RememberLabel();
}

LEAK_TEST_WITH(LeakTest, VariablesReachTheCase, LeakTestOptions().Variable("PLIMSOLL_TEST", "x")) {
  EXPECT_STREQ(std::getenv("PLIMSOLL_TEST"), "x");
}

class Fixture : public testing::Test {
 protected:
  void SetUp() override { ++set_ups_; }
  int set_ups_ = 0;
  int iterations_ = 0;
};

LEAK_TEST_F(Fixture, SetUpRunsOnce) {
  ++iterations_;
  EXPECT_EQ(set_ups_, 1);
  EXPECT_LE(iterations_, 5000);
}

TEST(Iterate, HoldsSteadyWhenNothingStays) {
  int calls = 0;
  EXPECT_THAT(Iterate([&] { std::vector<int> numbers(static_cast<size_t>(++calls)); }),
              HoldsSteady().WithPeakRss(4_GiB));
  EXPECT_GE(calls, 128);
}

TEST(Iterate, NamesWhatStays) {
  const CaseResult result = Iterate([] { RememberLabel(); });
  EXPECT_EQ(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_THAT(result, Not(HoldsSteady()));
  ASSERT_FALSE(result.sites.empty());
  EXPECT_THAT(testing::PrintToString(result.sites[0].stack), HasSubstr("RememberLabel"));
  EXPECT_EQ(result.growth.bytes_per_iteration, 64);
}

TEST(Iterate, RunsASecondTimeFromAFreshStart) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(Iterate([] { std::string text(100, 'x'); }), HoldsSteady());
  }
}

TEST(Iterate, PeakOverItsLineIsSaid) {
  const CaseResult result = Iterate([] {}, LeakTestOptions().PeakRss(1));
  EXPECT_EQ(result.verdict, Verdict::kOver);
  EXPECT_THAT(result.reason, HasSubstr("peak_rss_bytes"));
}

TEST(Iterate, ABudgetThatCannotFailIsRefused) {
  const CaseResult result = Iterate([] {}, LeakTestOptions().Iterations(30));
  EXPECT_EQ(result.verdict, Verdict::kInconclusive);
  EXPECT_THAT(result.reason, HasSubstr("max_iterations"));
}

}  // namespace
}  // namespace plimsoll
