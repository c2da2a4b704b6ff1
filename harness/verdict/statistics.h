#ifndef HARNESS_VERDICT_STATISTICS_H_
#define HARNESS_VERDICT_STATISTICS_H_

// The exact distributions that the rules rest on. Thread-safe: pure functions.

#include <cstdint>
#include <span>

namespace plimsoll {

// P(X >= k) for X ~ Binomial(n, p), 0 < p < 1; 1 when k == 0, 0 when k > n.
double BinomialUpperTail(uint64_t n, double p, uint64_t k);

// Rank-sum z score of `positions` (distinct, within 1..m) against a uniform choice of
// positions without replacement: negative when they come early. 0 when every
// position, or none, is taken.
double PositionScore(std::span<const uint32_t> positions, uint32_t m);

// The largest k such that "at least one event in k trials" is excluded at `confidence` by
// `quiet` trials in a row without an event: 1 / (1 - (1 - confidence)^(1 / quiet)), about
// quiet / 3 at 95 %. 0 when quiet == 0.
double ExcludedOneIn(uint32_t quiet, double confidence);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_STATISTICS_H_
