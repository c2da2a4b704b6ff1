#include "harness/verdict/verdict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "harness/verdict/synthetic.h"

namespace plimsoll {
namespace {

// Runs `iterate` for the rule's budget and judges after each snapshot, until decided.
Judgement JudgeProgram(const Rule& rule, const Iteration& iterate) {
  EXPECT_TRUE(Check(rule).has_value());
  const SyntheticRun run =
      RunPattern(rule, {.name = "", .start = [&](Random&) { return iterate; }}, 1);
  for (size_t i = 1; i < run.snapshots.size(); ++i) {
    Judgement judgement = Judge(rule, std::span(run.snapshots).first(i), {});
    if (judgement.decided) return judgement;
  }
  Judgement last = Judge(rule, run.snapshots, {});
  EXPECT_TRUE(last.decided) << "the last look must decide";
  return last;
}

Iteration Nothing() {
  return [](SyntheticLedger&, uint32_t, Random&) {};
}

// `bytes` at `site` whenever `when` holds.
Iteration Leak(uint32_t site, uint64_t bytes, std::function<bool(uint32_t)> when,
               ResourceKind kind = ResourceKind::kHeap) {
  return [=](SyntheticLedger& ledger, uint32_t epoch, Random&) {
    if (when(epoch)) ledger.Allocate(site, bytes, kind);
  };
}

bool Always(uint32_t) { return true; }

TEST(Judge, CleanAtTheFirstLookSaysWhatItExcludes) {
  const Judgement judgement = JudgeProgram(Rule(), Nothing());
  EXPECT_EQ(judgement.verdict, Verdict::kClean);
  EXPECT_EQ(judgement.iterations, 128u);
  ASSERT_TRUE(judgement.growth.minimum_detectable.has_value());
  const MinimumDetectable& bound = *judgement.growth.minimum_detectable;
  EXPECT_EQ(bound.bytes_per_iteration, 1);
  EXPECT_EQ(bound.confidence, 0.999);
  // A fifth of 0.1 % for each of the five looks.
  EXPECT_NEAR(bound.one_in_iterations, 108 / std::log(5000) + 0.5, 0.1);
  EXPECT_EQ(judgement.reason,
            "nothing survives of 108 iterations: excludes a leak of 1 byte in one of 13.2 "
            "iterations (99.9 %; at 95 %: one of 24)");
}

TEST(Judge, OneByteInEveryIterationIsFoundAtTheFirstLook) {
  const Judgement judgement = JudgeProgram(Rule(), Leak(7, 1, Always));
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  EXPECT_EQ(judgement.iterations, 128u);
  ASSERT_EQ(judgement.findings.size(), 1u);
  EXPECT_EQ(judgement.findings[0].site, 7u);
  EXPECT_EQ(judgement.findings[0].verdict, Verdict::kLeak);
  EXPECT_EQ(judgement.findings[0].bytes_per_iteration, 1);
  EXPECT_EQ(judgement.findings[0].blocks_per_iteration, 1);
  EXPECT_EQ(judgement.findings[0].period, 1u);
  EXPECT_FALSE(judgement.growth.minimum_detectable.has_value());
  EXPECT_EQ(judgement.reason,
            "1 site leaks (heap): 1 B per iteration, every iteration; proven at iteration 136");
}

TEST(Judge, EachKindIsCounted) {
  for (size_t kind = 0; kind < kResourceKinds; ++kind) {
    const auto resource = static_cast<ResourceKind>(kind);
    const Judgement judgement = JudgeProgram(Rule(), Leak(1, 0, Always, resource));
    EXPECT_EQ(judgement.verdict, Verdict::kLeak) << ResourceKindName(resource);
    ASSERT_EQ(judgement.findings.size(), 1u);
    EXPECT_EQ(judgement.findings[0].kind, resource);
    EXPECT_EQ(judgement.growth.blocks_per_iteration, 1);
  }
  EXPECT_NE(JudgeProgram(Rule(), Leak(1, 0, Always, ResourceKind::kDescriptor))
                .reason.find("1 descriptor per iteration"),
            std::string::npos);
}

TEST(Judge, RateIsThatOfWhatGoesOn) {
  // 10 MiB once, early, at the leaking site.
  const Judgement judgement =
      JudgeProgram(Rule(), [](SyntheticLedger& ledger, uint32_t epoch, Random&) {
        if (epoch == 20) ledger.Allocate(1, 10 << 20);
        ledger.Allocate(1, 64);
      });
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  EXPECT_EQ(judgement.growth.bytes_per_iteration, 64);
}

TEST(Judge, WorstSiteComesFirstAndAllocatorBlocksAreNotCountedTwice) {
  const Judgement judgement = JudgeProgram(Rule(), [](SyntheticLedger& ledger, uint32_t, Random&) {
    ledger.Allocate(1, 16);
    ledger.Allocate(2, 4096);
    ledger.Allocate(3, 4000, ResourceKind::kAllocatorBlock);
  });
  ASSERT_EQ(judgement.findings.size(), 3u);
  EXPECT_EQ(judgement.findings[0].site, 2u);
  EXPECT_EQ(judgement.findings[2].site, 1u);
  EXPECT_EQ(judgement.growth.bytes_per_iteration, 4112);
  EXPECT_NE(judgement.reason.find("3 sites leak (heap, the worst): 4.00 KiB per iteration"),
            std::string::npos)
      << judgement.reason;
}

TEST(Judge, LateOnsetIsNamed) {
  Rule rule;
  rule.wanted_one_in_iterations = 100;  // do not stop at the early CLEAN
  const Judgement judgement =
      JudgeProgram(rule, Leak(1, 64, [](uint32_t epoch) { return epoch >= 600; }));
  EXPECT_EQ(judgement.verdict, Verdict::kLeak) << judgement.reason;
  EXPECT_EQ(judgement.findings[0].pattern, "about one in 1.0 iterations, from iteration 600 on");
  EXPECT_EQ(judgement.growth.bytes_per_iteration, 64);
}

TEST(Judge, AStepIsNamedLookedAtAgainAndThenClean) {
  Rule rule;
  const Iteration step = Leak(1, 64, [](uint32_t epoch) { return epoch == 100; });
  const SyntheticRun run =
      RunPattern(rule, {.name = "", .start = [&](Random&) { return step; }}, 1);
  const Judgement first = Judge(rule, std::span(run.snapshots).first(3), {});
  EXPECT_EQ(first.verdict, Verdict::kGrowing);
  EXPECT_FALSE(first.decided);
  ASSERT_EQ(first.findings.size(), 1u);
  EXPECT_EQ(first.findings[0].pattern, "one step, at iteration 100");
  const Judgement second = Judge(rule, std::span(run.snapshots).first(4), {});
  EXPECT_EQ(second.verdict, Verdict::kClean);
  EXPECT_TRUE(second.decided);
  // Only the second half is free of survivors: 118 epochs, not 236.
  EXPECT_NEAR(second.growth.minimum_detectable->one_in_iterations, 118 / std::log(5000) + 0.5, 0.1);
  EXPECT_NE(second.reason.find("1 site filled up before"), std::string::npos);
}

TEST(Judge, SaturatingGrowthIsGrowingAndNamedSlowing) {
  Rule rule;
  rule.max_iterations = 256;
  const SyntheticRun run = RunPattern(rule, SurvivorPattern("random_key_cache_64"), 3);
  const Judgement judgement = Judge(rule, run.snapshots, {});
  EXPECT_EQ(judgement.verdict, Verdict::kGrowing);
  EXPECT_TRUE(judgement.decided);
  EXPECT_NE(judgement.findings[0].pattern.find("slowing down"), std::string::npos)
      << judgement.findings[0].pattern;
  EXPECT_NE(judgement.reason.find("not settled after 256 iterations"), std::string::npos);
}

TEST(Judge, EarlyLooksDoNotDecideWhatIsWanted) {
  Rule rule;
  rule.wanted_one_in_iterations = 100;
  const Judgement judgement = JudgeProgram(rule, Nothing());
  EXPECT_EQ(judgement.verdict, Verdict::kClean);
  EXPECT_EQ(judgement.iterations, 1024u);
  // Quiet, but the lazy block at 1,000 leaves too few epochs for the bound.
  rule.max_iterations = 1024;
  const Judgement short_of =
      JudgeProgram(rule, Leak(1, 64, [](uint32_t epoch) { return epoch == 500; }));
  EXPECT_EQ(short_of.verdict, Verdict::kInconclusive);
  EXPECT_NE(short_of.reason.find("wanted: one of 100"), std::string::npos) << short_of.reason;
}

TEST(Judge, KeptPromisesExcuseAndBrokenOnesAreOver) {
  Rule rule;
  rule.max_iterations = 128;
  const Iteration cache = Leak(1, 64, [](uint32_t epoch) { return epoch <= 80; });
  rule.bounds = {{.kind = ResourceKind::kHeap, .site = 1, .blocks = 80}};
  const Judgement kept = JudgeProgram(rule, cache);
  EXPECT_EQ(kept.verdict, Verdict::kClean);
  EXPECT_NE(kept.reason.find("1 site within a declared bound not judged"), std::string::npos);
  // Another site is still judged.
  rule.bounds = {{.kind = ResourceKind::kHeap, .site = 2, .blocks = 80}};
  EXPECT_EQ(JudgeProgram(rule, cache).verdict, Verdict::kGrowing);
  rule.bounds = {{.kind = ResourceKind::kMapping, .bytes = 1 << 20}};
  EXPECT_EQ(JudgeProgram(rule, cache).verdict, Verdict::kGrowing);
  // For a whole kind what was born after warm-up counts: 72 blocks.
  rule.bounds = {{.kind = ResourceKind::kHeap, .blocks = 72}};
  EXPECT_EQ(JudgeProgram(rule, cache).verdict, Verdict::kClean);
  rule.bounds = {{.kind = ResourceKind::kHeap, .blocks = 71}};
  const Judgement broken = JudgeProgram(rule, cache);
  EXPECT_EQ(broken.verdict, Verdict::kOver);
  EXPECT_EQ(broken.reason, "heap bounded by 71 blocks holds 72");
  rule.bounds = {{.kind = ResourceKind::kHeap, .bytes = 72 * 64 - 1}};
  EXPECT_EQ(JudgeProgram(rule, cache).verdict, Verdict::kOver);
  // A proven leak is a leak.
  EXPECT_EQ(JudgeProgram(rule, Leak(1, 64, Always)).verdict, Verdict::kLeak);
}

TEST(Judge, NewInputsAreNoEvidenceUntilTheyRepeat) {
  const Pattern& pattern = SurvivorPattern("primitive_cache_200_sizes");
  Rule rule;
  rule.max_iterations = 128;
  EXPECT_EQ(Judge(rule, RunPattern(rule, pattern, 1).snapshots, {}).verdict, Verdict::kLeak);
  rule.input_cycle = 200;
  const Judgement arriving = Judge(rule, RunPattern(rule, pattern, 1).snapshots, {});
  EXPECT_EQ(arriving.verdict, Verdict::kGrowing) << arriving.reason;
  ASSERT_FALSE(arriving.findings.empty());
  rule.max_iterations = 2048;
  const SyntheticRun run = RunPattern(rule, pattern, 1);
  Judgement judgement;
  for (size_t i = 1; i <= run.snapshots.size() && !judgement.decided; ++i) {
    judgement = Judge(rule, std::span(run.snapshots).first(i), {});
  }
  EXPECT_EQ(judgement.verdict, Verdict::kClean) << judgement.reason;
  // A leak under new inputs is found once they repeat.
  EXPECT_EQ(JudgeProgram(rule, Leak(1, 64, Always)).verdict, Verdict::kLeak);
}

TEST(Judge, ConsumingWhatSetUpMadeIsNoRoundTrip) {
  std::vector<SyntheticLedger::Block> stock;
  const Judgement judgement =
      JudgeProgram(Rule(), [&](SyntheticLedger& ledger, uint32_t epoch, Random&) {
        if (epoch == 1) {
          for (int i = 0; i < 4000; ++i) stock.push_back(ledger.Allocate(1, 32));
        }
        ledger.Free(stock.back());
        stock.pop_back();
      });
  EXPECT_EQ(judgement.verdict, Verdict::kInconclusive);
  EXPECT_NE(judgement.reason.find("each iteration frees 32 B of what was made before"),
            std::string::npos)
      << judgement.reason;
}

TEST(Judge, AReleaseOfOldBlocksOnceIsNotShrinking) {
  std::vector<SyntheticLedger::Block> stock;
  const Judgement judgement =
      JudgeProgram(Rule(), [&](SyntheticLedger& ledger, uint32_t epoch, Random&) {
        if (epoch == 1) {
          for (int i = 0; i < 4000; ++i) stock.push_back(ledger.Allocate(1, 32));
        }
        if (epoch == 90) {
          for (const SyntheticLedger::Block& block : stock) ledger.Free(block);
        }
      });
  EXPECT_EQ(judgement.verdict, Verdict::kClean) << judgement.reason;
}

TEST(Judge, AnIncompleteLedgerIsNeverCleanButCanLeak) {
  const Rule rule;
  SyntheticRun run = RunPattern(rule, {.name = "", .start = [](Random&) { return Nothing(); }}, 1);
  for (Snapshot& snapshot : run.snapshots) snapshot.complete = false;
  EXPECT_EQ(Judge(rule, run.snapshots, {}).verdict, Verdict::kInconclusive);
  for (Snapshot& snapshot : run.snapshots) snapshot.complete = true;
  Sample lossy;
  lossy.ledger = LedgerCounters();
  lossy.ledger->untracked_blocks = 1;
  EXPECT_EQ(Judge(rule, run.snapshots, std::vector{lossy}).verdict, Verdict::kInconclusive);

  run = RunPattern(rule, SurvivorPattern("leak_every_1"), 1);
  for (Snapshot& snapshot : run.snapshots) snapshot.complete = false;
  EXPECT_EQ(Judge(rule, run.snapshots, {}).verdict, Verdict::kLeak);
}

TEST(Judge, WithoutLedgerOrLookThereIsNoVerdict) {
  const Rule rule;
  const SyntheticRun run = RunPattern(rule, SurvivorPattern("leak_every_1"), 1);
  EXPECT_EQ(Judge(rule, run.snapshots, std::vector{Sample()}).verdict, Verdict::kInconclusive);
  const Judgement early = Judge(rule, std::span(run.snapshots).first(2), {});
  EXPECT_EQ(early.verdict, Verdict::kInconclusive);
  EXPECT_FALSE(early.decided);
  EXPECT_EQ(early.reason, "the first look is at iteration 136; only 72 were seen");
  EXPECT_FALSE(Judge(rule, {}, {}).decided);
}

TEST(Judge, GrowthThatWandersFromSiteToSiteIsALeakWhenRegular) {
  const Judgement judgement = JudgeProgram(
      Rule(), [](SyntheticLedger& ledger, uint32_t epoch, Random&) { ledger.Allocate(epoch, 64); });
  EXPECT_EQ(judgement.verdict, Verdict::kLeak) << judgement.reason;
  EXPECT_EQ(judgement.findings.size(), 108u);
  EXPECT_EQ(judgement.findings[0].pattern, "one of 108 sites that together leak every iteration");
  EXPECT_NEAR(judgement.growth.bytes_per_iteration, 64, 1e-9);
}

Sample At(uint32_t iteration, uint64_t rss, uint64_t minor_faults) {
  Sample sample;
  sample.iteration = iteration;
  sample.process.rss_bytes = rss;
  sample.process.minor_faults = minor_faults;
  sample.process.major_faults = 0;
  return sample;
}

TEST(PeakOf, LeavesWarmupOutAndTakesTheMedianOfFaults) {
  std::vector<Sample> samples = {At(1, 9000, 5000), At(2, 100, 5010), At(3, 300, 5020),
                                 At(4, 200, 9000), At(5, 250, 9010)};
  Peak peak = PeakOf(samples, 1);
  EXPECT_EQ(peak.rss_bytes, 300u);
  EXPECT_EQ(peak.page_faults_per_iteration, 10);
  EXPECT_FALSE(peak.rss_anon_bytes.has_value());
  EXPECT_FALSE(peak.live_heap_bytes.has_value());
  // A high-water mark counts only where it was reset.
  samples[3].process.hwm_bytes = 800;
  EXPECT_EQ(PeakOf(samples, 1).rss_bytes, 300u);
  samples[3].process.hwm_is_per_iteration = true;
  EXPECT_EQ(PeakOf(samples, 1).rss_bytes, 800u);
  samples[2].ledger = LedgerCounters();
  samples[2].ledger->peak_heap_bytes = 77;
  EXPECT_EQ(PeakOf(samples, 1).live_heap_bytes, 77u);
}

}  // namespace
}  // namespace plimsoll
