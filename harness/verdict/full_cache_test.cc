// A full cache whose entries come and go keeps some of them for long, so it is never quiet;
// that its level does no more than wander is what clears it, at the end of the budget.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "harness/verdict/synthetic.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {
namespace {

constexpr uint64_t kSeeds = 40;

// At the end of the budget, or where it was decided before.
Judgement JudgeOf(const Rule& rule, const Pattern& pattern, uint64_t seed) {
  const SyntheticRun run = RunPattern(rule, pattern, seed);
  Judgement judgement;
  for (size_t i = 1; i <= run.snapshots.size() && !judgement.decided; ++i) {
    judgement = Judge(rule, std::span(run.snapshots).first(i), {});
  }
  return judgement;
}

TEST(FullCache, IsCleanAtTheEndOfTheBudget) {
  const Pattern& cache = SurvivorPattern("wandering_cache_200");
  const Rule rule;
  uint32_t clean = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Judgement judgement = JudgeOf(rule, cache, seed);
    EXPECT_NE(judgement.verdict, Verdict::kLeak) << seed << ": " << judgement.reason;
    if (judgement.verdict != Verdict::kClean) continue;
    ++clean;
    EXPECT_EQ(judgement.iterations, rule.max_iterations) << "not before: " << seed;
    ASSERT_TRUE(judgement.growth.minimum_detectable.has_value());
    EXPECT_EQ(judgement.growth.minimum_detectable->one_in_iterations, 1);
    EXPECT_EQ(judgement.growth.minimum_detectable->confidence, 0.95);
    EXPECT_NE(judgement.reason.find("1 site of full caches"), std::string::npos)
        << judgement.reason;
  }
  // Of the others the level now is the highest seen: GROWING, until a larger budget tells.
  EXPECT_GE(clean, kSeeds * 3 / 4);
}

TEST(FullCache, HidesNoLeakThatItsWanderingDoesNot) {
  const Pattern& leak = SurvivorPattern("wandering_cache_200_and_every_7");
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Judgement judgement = JudgeOf(Rule(), leak, seed);
    EXPECT_NE(judgement.verdict, Verdict::kClean) << seed << ": " << judgement.reason;
  }
}

// A leak that the wandering hides may be there: then CLEAN does not exclude it.
TEST(FullCache, ExcludesNoLeakThatIsThere) {
  const Pattern& cache = SurvivorPattern("wandering_cache_200");
  uint32_t clean = 0;
  for (const uint32_t period : {16u, 31u, 100u}) {
    const Pattern both = {.name = "", .leaks = true, .start = [&](Random& random) {
                            const Iteration wander = cache.start(random);
                            return [=](SyntheticLedger& ledger, uint32_t epoch, Random& chances) {
                              wander(ledger, epoch, chances);
                              if (epoch % period == 0) ledger.Allocate(1, 128);
                            };
                          }};
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const Judgement judgement = JudgeOf(Rule(), both, seed);
      if (judgement.verdict != Verdict::kClean) continue;
      ++clean;
      EXPECT_GE(judgement.growth.minimum_detectable->bytes_per_iteration, 128.0 / period)
          << "every " << period << "th, seed " << seed << ": " << judgement.reason;
    }
  }
  EXPECT_GT(clean, 0u) << "nothing was checked";
}

// Set-up that is released once makes a wide range, and what grows slowly stays within it.
TEST(FullCache, WhatReplacesNothingIsNone) {
  const Pattern growth = {.name = "", .leaks = true, .start = [](Random&) {
                            return [setup = std::vector<SyntheticLedger::Block>()](
                                       SyntheticLedger& ledger, uint32_t epoch,
                                       Random& random) mutable {
                              for (int i = 0; epoch == 1 && i < 60; ++i) {
                                setup.push_back(ledger.Allocate(1, 128));
                              }
                              if (epoch == 600) {
                                for (const auto& block : setup) ledger.Free(block);
                              }
                              const double chance = epoch < 1032 ? 0.02 : 0.01;
                              if (std::bernoulli_distribution(chance)(random)) {
                                ledger.Allocate(1, 128);
                              }
                            };
                          }};
  Rule rule;
  rule.wanted_one_in_iterations = 100;  // no CLEAN before that
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Judgement judgement = JudgeOf(rule, growth, seed);
    EXPECT_EQ(judgement.reason.find("full caches"), std::string::npos) << judgement.reason;
  }
}

TEST(FullCache, WhatIsWantedIsNotReachedBeneathOne) {
  Rule rule;
  rule.wanted_one_in_iterations = 34;
  const Judgement judgement = JudgeOf(rule, SurvivorPattern("wandering_cache_200"), 1);
  EXPECT_EQ(judgement.verdict, Verdict::kInconclusive) << judgement.reason;
}

}  // namespace
}  // namespace plimsoll
