#ifndef HARNESS_VERDICT_VERDICT_H_
#define HARNESS_VERDICT_VERDICT_H_

// Combines the sites of a case into its verdict, and may end the run early. Pure functions;
// thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/result.h"
#include "harness/sample.h"
#include "harness/verdict/rule.h"

namespace plimsoll {

struct Judgement {
  Verdict verdict = Verdict::kInconclusive;
  bool decided = false;     // the run may stop here
  std::string reason;       // one sentence a person can read
  uint32_t iterations = 0;  // after warm-up, that the verdict rests on
  Growth growth;            // sums of `findings`; minimum_detectable with CLEAN
  // Sites that leak, or else sites that grow, worst first. Their stacks are empty: the
  // caller puts names to `site`.
  std::vector<SiteFinding> findings;
};

// REQUIRES: Check(rule) succeeds; `snapshots` were taken at the first of Looks(rule), in
// order, each with its survivors in ascending epochs.
//
// Called after each snapshot; `decided` is false except at a decision look, and always
// true at the last. `samples` tell whether the ledger was in the process and lost nothing;
// they may be empty.
//
// Overall level. A look spends its share of Rule::level (DecisionLooks), divided by the
// number of distinct sets of epochs among the sites with enough survivors to be tested:
// sites that leak together are one test. By the union bound the probability of a false LEAK
// per case is at most the level wherever the survivor rule's null hypothesis holds.
Judgement Judge(const Rule& rule, std::span<const Snapshot> snapshots,
                std::span<const Sample> samples);

// Peaks over the samples after `warmup` iterations (the high-water mark where it was reset,
// else the largest RSS seen), and the median number of page faults per iteration.
Peak PeakOf(std::span<const Sample> samples, uint32_t warmup);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_VERDICT_H_
