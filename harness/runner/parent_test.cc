#include "harness/runner/parent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace plimsoll {
namespace {

using testing::HasSubstr;

// Sanitizer builds link the agent into the program; there is nothing to preload.
std::string Ledger() { return PLIMSOLL_LEDGER; }

CaseSpec Spec(const std::string& what) {
  CaseSpec spec;
  spec.scenario = what.empty() ? "clean" : what;
  spec.engine = "test_program";
  spec.allocator = "system";
  spec.environment = *FindEnvironment("glibc");
  spec.command = {"harness/runner/test_program", what};
  return spec;
}

CaseResult ResultOf(const CaseSpec& spec) {
  CaseObserver observer;
  return RunCase(spec, Ledger(), observer);
}

TEST(RunCase, CleanProgram) {
  const CaseResult result = ResultOf(Spec(""));
  EXPECT_EQ(result.verdict, Verdict::kClean) << result.reason;
  EXPECT_EQ(result.name, "clean/test_program/system/glibc");
  EXPECT_EQ(result.iterations, 128u);
  EXPECT_EQ(result.samples.size(), 136u);
  EXPECT_TRUE(result.growth.minimum_detectable.has_value());
  EXPECT_TRUE(result.peak.rss_bytes.has_value());
}

TEST(RunCase, LeakIsNamedWithItsFunctionAndRate) {
  const CaseResult result = ResultOf(Spec("leak"));
  ASSERT_EQ(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_EQ(result.iterations, 128u);
  EXPECT_EQ(result.growth.bytes_per_iteration, 48);
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_THAT(testing::PrintToString(result.sites[0].stack), HasSubstr("KeepABlock"));
}

TEST(RunCase, CrashIsAnErrorWithTheLastOutput) {
  const CaseResult result = ResultOf(Spec("crash"));
  EXPECT_EQ(result.verdict, Verdict::kError);
  EXPECT_THAT(result.reason, testing::AnyOf(HasSubstr("SIGSEGV"), HasSubstr("exit status")));
  EXPECT_THAT(result.reason, HasSubstr("after 10 iterations"));
  ASSERT_FALSE(result.last_output.empty());
  EXPECT_EQ(result.last_output.front(), "about to crash");
  EXPECT_EQ(result.samples.size(), 10u);
}

TEST(RunCase, EveryOtherEndIsTold) {
  EXPECT_THAT(ResultOf(Spec("exit")).reason, HasSubstr("exit status 3 after 10 iterations"));
  EXPECT_THAT(ResultOf(Spec("quit")).reason, HasSubstr("ended by itself after 10 iterations"));
  EXPECT_THAT(ResultOf(Spec("kill")).reason, HasSubstr("SIGKILL after 10 iterations"));
  EXPECT_THAT(ResultOf(Spec("silent")).reason, HasSubstr("without marking an iteration"));
  const CaseResult teardown = ResultOf(Spec("teardown"));
  EXPECT_EQ(teardown.verdict, Verdict::kError);
  EXPECT_THAT(teardown.reason, HasSubstr("exit status 4"));
}

TEST(RunCase, HangAndTimeLimitAreTold) {
  CaseSpec hang = Spec("hang");
  hang.hang_limit = std::chrono::milliseconds(300);
  EXPECT_THAT(ResultOf(hang).reason,
              HasSubstr("hangs: nothing heard for 0.3 s after 10 iterations"));
  CaseSpec slow = Spec("slow");
  slow.time_limit = std::chrono::milliseconds(300);
  EXPECT_THAT(ResultOf(slow).reason, HasSubstr("over its time limit of 0.3 s"));
}

TEST(RunCase, MissingProgramAndMissingLibraryAreTold) {
  CaseSpec missing = Spec("");
  missing.command = {"/no/such/engine"};
  const CaseResult result = ResultOf(missing);
  EXPECT_EQ(result.verdict, Verdict::kError);
  EXPECT_EQ(result.reason, "/no/such/engine: cannot run: No such file or directory");

  CaseSpec skipped = Spec("");
  skipped.environment.library = "libnosuchmalloc.so.9";
  const CaseResult skip = ResultOf(skipped);
  EXPECT_TRUE(skip.skipped);
  EXPECT_EQ(skip.reason, "skipped: libnosuchmalloc.so.9 is not installed");
}

TEST(RunCase, ABudgetThatCannotFailIsRefused) {
  CaseSpec spec = Spec("");
  spec.rule.max_iterations = 30;
  const CaseResult result = ResultOf(spec);
  EXPECT_EQ(result.verdict, Verdict::kInconclusive);
  EXPECT_TRUE(result.samples.empty());
}

class CancelAfterFive : public CaseObserver {
 public:
  void OnSample(const Sample&) override { ++samples_; }
  bool Cancelled() override { return samples_ >= 5; }

 private:
  int samples_ = 0;
};

TEST(RunCase, CanBeCancelled) {
  CancelAfterFive observer;
  const CaseResult result = RunCase(Spec("slow"), Ledger(), observer);
  EXPECT_EQ(result.verdict, Verdict::kError);
  EXPECT_THAT(result.reason, HasSubstr("cancelled after"));
}

}  // namespace
}  // namespace plimsoll
