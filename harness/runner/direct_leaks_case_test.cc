// A whole case in which blocks are lost, judged by the leak checker that this build has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "harness/runner/environment.h"
#include "harness/runner/parent.h"

namespace plimsoll {
namespace {

// Sanitizer builds have their checker linked in, with the agent.
bool Sanitized() { return std::string(PLIMSOLL_LEDGER).empty(); }

CaseResult ResultOf(const std::string& what) {
  CaseSpec spec;
  spec.scenario = what;
  spec.engine = "test_program";
  spec.allocator = "system";
  spec.environment = *FindEnvironment(Sanitized() ? "glibc" : "valgrind");
  spec.command = {"harness/runner/test_program", what};
  CaseObserver observer;
  return RunCase(spec, PLIMSOLL_LEDGER, observer);
}

TEST(DirectLeaks, LostBlocksAreALeakWithTheirStack) {
  const CaseResult result = ResultOf("lose");
  ASSERT_EQ(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_THAT(result.reason, testing::HasSubstr("nothing points to"));
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_THAT(testing::PrintToString(result.sites[0].stack), testing::HasSubstr("LoseABlock"));
  EXPECT_THAT(result.sites[0].pattern, testing::HasSubstr("lost in"));
  // A stale pointer in a register may hide the one or the other for a while.
  EXPECT_NEAR(result.growth.bytes_per_iteration, 40, 2);
}

TEST(DirectLeaks, NothingLostIsNoLeak) {
  const CaseResult result = ResultOf("");
  EXPECT_NE(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_NE(result.verdict, Verdict::kError) << result.reason;
}

}  // namespace
}  // namespace plimsoll
