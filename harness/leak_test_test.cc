#include "harness/leak_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "harness/runner/child_process.h"

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

// Tests that must fail; they run only where MustFail starts them.
LEAK_TEST(MustFail, DISABLED_Leaks) { RememberLabel(); }
LEAK_TEST_WITH(MustFail, DISABLED_IsCleanButALeakWasAnnounced,
               LeakTestOptions().ExpectLeak(ResourceKind::kHeap, "RememberLabel")) {}
LEAK_TEST_WITH(MustFail, DISABLED_LeaksElsewhere,
               LeakTestOptions().ExpectLeak(ResourceKind::kHeap, "NoSuchFunction")) {
  RememberLabel();
}
LEAK_TEST_WITH(MustFail, DISABLED_LeaksAtAnotherRate,
               LeakTestOptions()
                   .ExpectLeak(ResourceKind::kHeap, "RememberLabel")
                   .ExpectBytesPerIteration(65)) {
  RememberLabel();
}
LEAK_TEST(MustFail, DISABLED_ExpectsInVain) { EXPECT_EQ(1, 2); }
LEAK_TEST_WITH(MustFail, DISABLED_IsOverItsLine, LeakTestOptions().PeakRss(1)) {}

// Runs one of them in a process of its own and returns what it printed.
std::string OutputOfFailing(const std::string& name) {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self));
  ProcessOptions options;
  // Not a case of ours, but a harness itself: it is not to find our socket.
  options.command = {"/usr/bin/env", "-u", "PLIMSOLL_AGENT_FD",
                     std::string(self, static_cast<size_t>(std::max<ssize_t>(length, 0))),
                     "--gtest_filter=MustFail.DISABLED_" + name,
                     "--gtest_also_run_disabled_tests", "--gtest_output="};
  options.variables = {{"GTEST_TOTAL_SHARDS", "1"},
                       {"GTEST_SHARD_INDEX", "0"},
                       {"TEST_PREMATURE_EXIT_FILE", ""}};
  Expected<ChildProcess> child = ChildProcess::Start(options);
  if (!child.has_value()) return child.error().message;
  std::string output;
  char buffer[4096];
  while (true) {
    pollfd poller = {child->output_fd(), POLLIN, 0};
    poll(&poller, 1, 60000);
    const ssize_t got = read(child->output_fd(), buffer, sizeof(buffer));
    if (got <= 0) break;
    output.append(buffer, static_cast<size_t>(got));
  }
  std::optional<ExitStatus> status;
  for (int i = 0; i < 10000 && !(status = child->Poll()).has_value(); ++i) usleep(1000);
  EXPECT_EQ(status.value_or(ExitStatus()).code, 1) << name << " did not fail\n" << output;
  return output;
}

TEST(FailureMessage, NamesVerdictRateSiteAndWhatToRunNext) {
  const std::string output = OutputOfFailing("Leaks");
  EXPECT_THAT(output, HasSubstr("LEAK"));
  EXPECT_THAT(output, HasSubstr("64 B/iter"));
  EXPECT_THAT(output, HasSubstr("RememberLabel"));
  EXPECT_THAT(output, HasSubstr("--gtest_filter=MustFail.DISABLED_Leaks"));
}

TEST(FailureMessage, SaysHowTheAnnouncedLeakWasMissed) {
  EXPECT_THAT(OutputOfFailing("IsCleanButALeakWasAnnounced"),
              HasSubstr("expected LEAK, but the verdict is CLEAN"));
  EXPECT_THAT(OutputOfFailing("LeaksElsewhere"), HasSubstr("with NoSuchFunction in its stack"));
  EXPECT_THAT(OutputOfFailing("LeaksAtAnotherRate"), HasSubstr("expected 65"));
}

TEST(FailureMessage, ShowsAFailedExpectationAndABrokenLine) {
  EXPECT_THAT(OutputOfFailing("ExpectsInVain"), HasSubstr("exit status 1 after 0 iterations"));
  EXPECT_THAT(OutputOfFailing("IsOverItsLine"), HasSubstr("peak_rss_bytes"));
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
