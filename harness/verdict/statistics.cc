#include "harness/verdict/statistics.h"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

// lgamma writes the global signgam; lgamma_r does not.
double LogFactorial(uint64_t n) {
  int sign = 0;
  return lgamma_r(static_cast<double>(n) + 1, &sign);
}

}  // namespace

double BinomialUpperTail(uint64_t n, double p, uint64_t k) {
  if (k == 0) return 1;
  if (k > n) return 0;
  const double log_first = LogFactorial(n) - LogFactorial(k) - LogFactorial(n - k) +
                           static_cast<double>(k) * std::log(p) +
                           static_cast<double>(n - k) * std::log1p(-p);
  // P(X = i + 1) = P(X = i) * (n - i) / (i + 1) * odds, summed relative to P(X = k).
  const double odds = p / (1 - p);
  double term = 1;
  double sum = 1;
  for (uint64_t i = k; i < n; ++i) {
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * odds;
    sum += term;
    if (term < sum * 1e-17 && static_cast<double>(i) > static_cast<double>(n) * p) break;
  }
  return std::min(1.0, std::exp(log_first + std::log(sum)));
}

double PositionScore(std::span<const uint32_t> positions, uint32_t m) {
  const auto taken = static_cast<double>(positions.size());
  const double all = m;
  if (taken == 0 || taken >= all) return 0;
  double sum = 0;
  for (const uint32_t position : positions) sum += position;
  const double variance = taken * (all - taken) * (all + 1) / 12;
  return (sum - taken * (all + 1) / 2) / std::sqrt(variance);
}

double ExcludedOneIn(uint32_t quiet, double confidence) {
  if (quiet == 0) return 0;
  return -1 / std::expm1(std::log1p(-confidence) / quiet);
}

}  // namespace plimsoll
