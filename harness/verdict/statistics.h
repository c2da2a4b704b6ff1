#ifndef HARNESS_VERDICT_STATISTICS_H_
#define HARNESS_VERDICT_STATISTICS_H_

// The exact distributions that the rules rest on. Thread-safe: pure functions.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

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

// z such that P(Z > z) == p for a standard normal Z, 0 < p < 1, to 1e-12.
double NormalUpperQuantile(double p);

// 0 when empty; the mean of the middle two when even.
double Median(std::vector<double> values);

// The median of the slopes between all pairs of points (i, values[i]): a slope per index that
// up to 29 % of wild points cannot move far. Above 1,024 values their number is first
// reduced by taking medians of neighbours. 0 for fewer than two.
double TheilSenSlope(std::span<const double> values);

// Wilcoxon's signed-rank statistic: the sum of the ranks, by magnitude, of the positive
// values. Ties share their average rank; zeros count against.
double SignedRankSum(std::span<const double> values);

// The least sum that `count` values, symmetric about 0, reach with probability at most `level`;
// one more than the greatest possible when there is none: 2^-count > level.
uint64_t SignedRankCritical(size_t count, double level);

// The one-sided test: the probability of so large a SignedRankSum, were the values symmetric
// about 0 (or leaning below).
double SignedRankUpperTail(std::span<const double> values);

// A distribution-free interval for the centre of symmetry of `values`, each end missed with
// at most probability `level`: Walsh averages (i + j) / 2 cut where the signed-rank test
// ends. Infinite when there are too few values: 2^-n > level.
std::pair<double, double> SignedRankInterval(std::span<const double> values, double level);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_STATISTICS_H_
