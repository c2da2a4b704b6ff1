#include "harness/verdict/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>

namespace plimsoll {
namespace {

// lgamma writes the global signgam; lgamma_r does not.
double LogFactorial(uint64_t n) {
  int sign = 0;
  return lgamma_r(static_cast<double>(n) + 1, &sign);
}

// P(W+ >= w) for the signed-rank statistic of n values in general position, as a table by w.
std::vector<double> SignedRankTails(size_t n) {
  const size_t most = n * (n + 1) / 2;
  std::vector<double> chance(most + 1, 0);
  chance[0] = 1;
  for (size_t rank = 1; rank <= n; ++rank) {
    for (size_t w = most + 1; w-- > 0;) {
      chance[w] = (chance[w] + (w >= rank ? chance[w - rank] : 0)) / 2;
    }
  }
  for (size_t w = most; w-- > 0;) chance[w] += chance[w + 1];
  return chance;
}

constexpr size_t kMostPoints = 1024;  // for all pairs of which slopes are taken

constexpr size_t kManyValues = 1000;

// The median of many values, by looking only at those near it: between the 40th and the 60th
// percentile of a sample. Absent when it does not lie there, or too many do.
std::optional<double> BracketedMedian(const std::vector<double>& values) {
  constexpr size_t kSample = 200;
  std::vector<double> sample;
  for (size_t i = 0; i < kSample; ++i) sample.push_back(values[i * values.size() / kSample]);
  std::sort(sample.begin(), sample.end());
  const double low = sample[kSample * 2 / 5];
  const double high = sample[kSample * 3 / 5];
  size_t below = 0;
  size_t count = 0;
  std::vector<double> near(values.size());
  // Without branches, which would be mispredicted.
  for (const double value : values) {
    near[count] = value;
    count += static_cast<size_t>(value >= low) & static_cast<size_t>(value <= high);
    below += value < low;
  }
  if (count > values.size() / 2) return std::nullopt;
  near.resize(count);
  const size_t half = values.size() / 2;
  const bool even = values.size() % 2 == 0;
  if (half < below + even || half >= below + near.size()) return std::nullopt;
  const auto middle = near.begin() + static_cast<ptrdiff_t>(half - below);
  std::nth_element(near.begin(), middle, near.end());
  if (!even) return *middle;
  return (*middle + *std::max_element(near.begin(), middle)) / 2;
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

double NormalUpperQuantile(double p) {
  double low = -40;
  double high = 40;
  for (int i = 0; i < 200 && high - low > 1e-13; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > p ? low : high) = middle;
  }
  return (low + high) / 2;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  if (values.size() >= kManyValues) {
    if (const std::optional<double> median = BracketedMedian(values)) return *median;
  }
  const size_t half = values.size() / 2;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(half);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double TheilSenSlope(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const size_t stride = (values.size() + kMostPoints - 1) / kMostPoints;
  std::vector<double> points;
  for (size_t i = 0; i + stride <= values.size(); i += stride) {
    points.push_back(Median({values.begin() + static_cast<ptrdiff_t>(i),
                             values.begin() + static_cast<ptrdiff_t>(i + stride)}));
  }
  std::vector<double> slopes(points.size() * (points.size() - 1) / 2);
  double* slope = slopes.data();
  for (size_t lag = 1; lag < points.size(); ++lag) {
    const auto run = static_cast<double>(lag * stride);
    for (size_t i = lag; i < points.size(); ++i) *slope++ = (points[i] - points[i - lag]) / run;
  }
  return Median(std::move(slopes));
}

double SignedRankSum(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end(),
            [](double a, double b) { return std::abs(a) < std::abs(b); });
  double positive = 0;
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i;
    while (end < sorted.size() && std::abs(sorted[end]) == std::abs(sorted[i])) ++end;
    const double rank = (static_cast<double>(i) + 1 + static_cast<double>(end)) / 2;
    for (; i < end; ++i) positive += sorted[i] > 0 ? rank : 0;
  }
  return positive;
}

uint64_t SignedRankCritical(size_t count, double level) {
  const std::vector<double> tails = SignedRankTails(count);
  uint64_t sum = 0;
  while (sum < tails.size() && tails[sum] > level) ++sum;
  return sum;
}

double SignedRankUpperTail(std::span<const double> values) {
  // Ties may give half ranks; rounding down keeps the tail from being too small.
  return SignedRankTails(values.size())[static_cast<size_t>(SignedRankSum(values))];
}

std::pair<double, double> SignedRankInterval(std::span<const double> values, double level) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const uint64_t critical = SignedRankCritical(values.size(), level);
  std::vector<double> walsh;
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = i; j < values.size(); ++j) walsh.push_back((values[i] + values[j]) / 2);
  }
  if (critical > walsh.size()) return {-kInfinity, kInfinity};
  std::sort(walsh.begin(), walsh.end());
  // The sum for values - c is the number of Walsh averages above c.
  const size_t cut = walsh.size() - critical;
  return {walsh[cut], walsh[walsh.size() - 1 - cut]};
}

}  // namespace plimsoll
