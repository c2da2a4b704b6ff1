#ifndef HARNESS_VERDICT_RULE_H_
#define HARNESS_VERDICT_RULE_H_

// What the judge of exact counters is told: error level, looks, gap, budget, promises.
// Plain data and pure functions; thread-safe.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "harness/sample.h"

namespace plimsoll {

// A promise that a site, or every site of a kind together, holds a structure which may
// fill up to a capacity (a cache). While it keeps the promise its growth is not judged;
// above it the verdict is OVER, or LEAK when the rule proves one.
struct SiteBound {
  ResourceKind kind = ResourceKind::kHeap;
  std::optional<uint32_t> site = std::nullopt;  // absent: everything of the kind born after warm-up
  std::optional<uint64_t> blocks = std::nullopt;  // capacity; absent: not limited
  std::optional<uint64_t> bytes = std::nullopt;
};

// "Iterations" below are counted after warm-up unless said otherwise.
struct Rule {
  // Probability of a false LEAK per case, over all looks and all sites of the case.
  double level = 1e-3;
  // Iterations whose survivors are not evidence: lazy initialisation.
  uint32_t warmup = 8;
  // Iterations at the first look; looks follow at twice, four times … and at the end.
  uint32_t first_look = 128;
  uint32_t max_iterations = 2048;
  // The youngest epochs, left out: what they hold may still be in use. At least 1.
  uint32_t gap = 20;
  // Iterations until the scenario's inputs repeat (200 for 200 distinct sizes), 0 when each
  // iteration is alike. What the first cycle leaves behind may fill a cache: it keeps the
  // verdict from CLEAN but is no evidence for LEAK.
  uint32_t input_cycle = 0;
  // Of the bound printed with CLEAN, over all looks at which one may come.
  double confidence = 0.999;
  // CLEAN waits until it excludes a leak in one of this many iterations.
  std::optional<double> wanted_one_in_iterations;
  std::vector<SiteBound> bounds;
};

// One look at which a decision may fall.
struct Look {
  uint32_t iteration = 0;  // warm-up included
  double level = 0;        // share of Rule::level spent here, in proportion to the iterations
};

// Refuses a rule under which no leak could be found or no CLEAN be reached, and says what
// is needed.
Status Check(const Rule& rule);

// REQUIRES, for all below: Check(rule) succeeds.

// When a decision may fall, ascending.
std::vector<Look> DecisionLooks(const Rule& rule);

// The largest k such that `quiet` iterations in a row without survivors exclude a leak in at
// least one of k iterations at `confidence`, whichever of the rule's looks they are seen at.
double ExcludedOneIn(const Rule& rule, uint32_t quiet, double confidence);

// Iterations (warm-up included, ascending) at which Judge wants a Snapshot: the decision
// looks, and two before them which tell what an old block's fate is.
std::vector<uint32_t> Looks(const Rule& rule);

// Iterations (warm-up included, ascending) at which live blocks and bytes per site are
// compared with the least seen since the last snapshot: nine in every window, irregularly
// spread so that no period of the scenario falls in step with them, its end included.
std::vector<uint32_t> FloorPoints(const Rule& rule);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_RULE_H_
