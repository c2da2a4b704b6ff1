#ifndef HARNESS_VERDICT_SPREAD_RULE_H_
#define HARNESS_VERDICT_SPREAD_RULE_H_

// Growth that wanders from site to site (code that is loaded anew at another address, say)
// repeats at none of them; this rule takes the sites of a kind together. Pure functions;
// thread-safe.

#include <span>
#include <vector>

#include "harness/sample.h"
#include "harness/verdict/rule.h"
#include "harness/verdict/survivor_rule.h"

namespace plimsoll {

// Pools, kind by kind, the sites with survivors of one to three epochs, none of which died,
// when there are at least 24; returns those of the first kind whose pooled survivors have a
// regular period at `level`, which the kinds share, else nothing. Only a period is proof:
// one-off initialisations at many sites also come one after the other.
std::vector<SiteOutcome> FindSpreadLeak(const Rule& rule, std::span<const Snapshot> snapshots,
                                        std::span<const SiteOutcome> sites_seen, double level);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SPREAD_RULE_H_
