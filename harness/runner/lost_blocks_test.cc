#include "harness/runner/lost_blocks.h"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

CaseResult Clean() {
  CaseResult result;
  result.verdict = Verdict::kClean;
  result.warmup = 8;
  result.iterations = 128;
  result.reason = "nothing survives";
  result.growth.minimum_detectable.emplace();
  return result;
}

TEST(MergeDirectLeaks, ALostBlockIsALeakWithItsStack) {
  CaseResult result = Clean();
  MergeDirectLeaks({{20, 64, 1, {"Forget (a.cc:3)", "main (a.cc:9)"}},
                    {30, 64, 1, {"Forget (a.cc:3)", "main (a.cc:9)"}},
                    {30, 8, 2, {"Drop (b.cc:1)"}}},
                   136, result);
  EXPECT_EQ(result.verdict, Verdict::kLeak);
  ASSERT_EQ(result.sites.size(), 2u);
  EXPECT_EQ(result.sites[1].stack.front(), "Forget (a.cc:3)");
  EXPECT_EQ(result.sites[1].bytes_per_iteration, 1);
  EXPECT_EQ(result.sites[1].pattern, "lost in 2 of 128 iterations: nothing points to the blocks");
  EXPECT_EQ(result.growth.bytes_per_iteration, 136.0 / 128);
  EXPECT_FALSE(result.growth.minimum_detectable.has_value());
  EXPECT_EQ(result.reason, "2 sites lose blocks that nothing points to any more; nothing survives");
}

TEST(MergeDirectLeaks, WarmupAndNothingLostChangeNothing) {
  CaseResult result = Clean();
  MergeDirectLeaks({{8, 64, 1, {"Init (a.cc:3)"}}}, 136, result);
  EXPECT_EQ(result.verdict, Verdict::kClean);
  MergeDirectLeaks({}, 136, result);
  EXPECT_EQ(result.reason, "nothing survives");
}

TEST(MergeDirectLeaks, ASurvivorThatIsAlsoLostIsOneSite) {
  CaseResult result = Clean();
  result.verdict = Verdict::kLeak;
  result.growth = Growth();
  result.growth.bytes_per_iteration = 64;
  SiteFinding site;
  site.bytes_per_iteration = 64;
  site.pattern = "every iteration";
  site.stack = {"Forget (a.cc:3)", "main (a.cc:9)"};
  result.sites = {site};
  std::vector<ledger::DirectLeak> leaks;
  for (uint32_t i = 1; i <= 136; ++i) leaks.push_back({i, 64, 1, {"Forget (a.cc:3)"}});
  MergeDirectLeaks(leaks, 136, result);
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_EQ(result.growth.bytes_per_iteration, 64);
  EXPECT_EQ(result.sites[0].pattern,
            "every iteration; lost in every iteration: nothing points to the blocks");
}

}  // namespace
}  // namespace plimsoll
