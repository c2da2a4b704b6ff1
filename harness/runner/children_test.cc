// Real programs: one whose memory the ledger sees, and one that it cannot enter.

#include "harness/runner/children.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll {
namespace {

using testing::HasSubstr;

CaseSpec StaticProgram(const std::string& bytes_kept) {
  CaseSpec spec;
  spec.scenario = "static_program";
  spec.engine = "watch";
  spec.allocator = "system";
  spec.environment = *FindEnvironment("glibc");
  spec.command = {"harness/runner/static_program", "400", bytes_kept};
  spec.watch.emplace();
  spec.watch->ledger_enters = false;
  return spec;
}

TEST(RunChildren, JudgesTheRssOfAProgramThatTheLedgerCannotEnter) {
  CaseObserver observer;
  ChildrenOptions options;
  options.metrics = {NoisyMetric::kRssAnon};
  const CaseResult leak = RunChildren(StaticProgram("16384"), options, PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(leak.verdict, Verdict::kLeak) << leak.reason;
  ASSERT_EQ(leak.trends.size(), 1u);
  EXPECT_EQ(leak.trends[0].metric, "RssAnon");
  EXPECT_EQ(leak.trends[0].children, 10u);
  EXPECT_NEAR(leak.growth.bytes_per_iteration, 16384, 2048);
  const CaseResult clean = RunChildren(StaticProgram("0"), options, PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(clean.verdict, Verdict::kClean) << clean.reason;
  EXPECT_LT(clean.trends.at(0).upper_bytes_per_iteration, 1024);
}

TEST(RunChildren, OneProcessOfItIsInconclusive) {
  CaseObserver observer;
  const CaseResult result = RunCase(StaticProgram("16384"), PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(result.verdict, Verdict::kInconclusive);
  // The last mark may be read when the process has ended and has nothing left to sample.
  EXPECT_GE(result.samples.size(), 390u);
  EXPECT_THAT(result.reason, HasSubstr("no evidence"));
}

CaseSpec TestProgram(const std::string& what) {
  CaseSpec spec;
  spec.scenario = what;
  spec.engine = "test_program";
  spec.allocator = "system";
  spec.environment = *FindEnvironment("glibc");
  spec.command = {"harness/runner/test_program", what};
  return spec;
}

TEST(RunChildren, JudgesWhatTheLedgerDoesNotSee) {
  CaseObserver observer;
  // Pages mapped by a raw system call: live heap and mappings of the ledger stand still.
  const CaseResult hidden =
      RunChildren(TestProgram("raw"), ChildrenOptions(), PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(hidden.verdict, Verdict::kLeak) << hidden.reason;
  EXPECT_THAT(hidden.reason, HasSubstr("unaccounted: grows by"));
  EXPECT_NEAR(hidden.growth.bytes_per_iteration, 8192, 1024);
  const CaseResult clean =
      RunChildren(TestProgram(""), ChildrenOptions(), PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(clean.verdict, Verdict::kClean) << clean.reason;
  EXPECT_TRUE(clean.growth.minimum_detectable.has_value());
  EXPECT_THAT(clean.reason, HasSubstr("unaccounted: 10 children exclude growth above"));
}

// PSS is sampled at looks alone unless it is to be judged.
TEST(RunChildren, JudgesPssInEachIteration) {
  CaseObserver observer;
  ChildrenOptions options;
  options.metrics = {NoisyMetric::kPss, NoisyMetric::kHighWaterMark};
  const CaseResult hidden = RunChildren(TestProgram("raw"), options, PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(hidden.verdict, Verdict::kLeak) << hidden.reason;
  ASSERT_EQ(hidden.trends.size(), 2u);
  EXPECT_EQ(hidden.trends[0].metric, "PSS");
  for (const TrendResult& trend : hidden.trends) {
    EXPECT_EQ(trend.verdict, Verdict::kLeak) << trend.metric << ": " << trend.reason;
    EXPECT_NEAR(trend.bytes_per_iteration, 8192, 2048) << trend.metric;
  }
  const CaseResult from_outside = [&] {
    options.metrics = {NoisyMetric::kPrivateDirty};
    return RunChildren(StaticProgram("16384"), options, PLIMSOLL_LEDGER, observer);
  }();
  EXPECT_EQ(from_outside.verdict, Verdict::kLeak) << from_outside.reason;
}

TEST(RunChildren, ALeakInTheLedgerNeedsNoChildren) {
  CaseObserver observer;
  const CaseResult leak =
      RunChildren(TestProgram("leak"), ChildrenOptions(), PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(leak.verdict, Verdict::kLeak);
  EXPECT_TRUE(leak.trends.empty());
}

TEST(RunChildren, WhatIsWantedSetsTheNumberOfChildrenOrIsRefused) {
  CaseObserver observer;
  ChildrenOptions options;
  options.wanted_bytes_per_iteration = 65536;
  const CaseResult clean = RunChildren(TestProgram(""), options, PLIMSOLL_LEDGER, observer);
  EXPECT_EQ(clean.verdict, Verdict::kClean) << clean.reason;
  EXPECT_LT(clean.trends.at(0).iterations, 256u);
  EXPECT_THAT(clean.reason, HasSubstr("as wanted"));
  options.children = 3;
  EXPECT_THAT(Check(options).error().message, HasSubstr("children: '3': expected at least 10"));
}

}  // namespace
}  // namespace plimsoll
