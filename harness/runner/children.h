#ifndef HARNESS_RUNNER_CHILDREN_H_
#define HARNESS_RUNNER_CHILDREN_H_

// Judges counters that are too noisy for one process (RSS, memory that the ledger cannot see)
// by running the case in several. Thread-compatible.

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/runner/parent.h"
#include "harness/verdict/trend_rule.h"

namespace plimsoll {

struct ChildrenOptions {
  std::vector<NoisyMetric> metrics = {NoisyMetric::kUnaccounted};
  double level = 1e-3;  // of a false LEAK, over all metrics together
  // Children and iterations of each; absent: chosen to find and exclude a leak of
  // `wanted_bytes_per_iteration`, from the noise of a first child, within the budget.
  std::optional<uint32_t> children;
  std::optional<uint32_t> iterations;
  std::optional<double> wanted_bytes_per_iteration;
  TrendBudget budget;
};

// Refuses what could never come to a verdict, before anything runs.
Status Check(const ChildrenOptions& options);

// Runs the case once as RunCase does; unless that finds a leak or fails, runs it
// `children` times for a fixed number of iterations and adds what they say: the trends, and
// to the verdict LEAK, GROWING or INCONCLUSIVE where a trend is worse. A program that the
// ledger does not enter has no other verdict than that of its trends. A child that fails
// makes the case ERROR.
CaseResult RunChildren(const CaseSpec& spec, const ChildrenOptions& options,
                       const std::string& ledger, CaseObserver& observer);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_CHILDREN_H_
