#ifndef HARNESS_VERDICT_CHARACTERISTICS_H_
#define HARNESS_VERDICT_CHARACTERISTICS_H_

// How often each rule flags each synthetic pattern under each noise, by simulation. Pure
// functions of a seed; thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/verdict/synthetic.h"

namespace plimsoll {

struct TrialPlan {
  uint64_t seed = 1;
  uint32_t trials = 2000;
  // Of our rule for exact counters on bounded patterns, where a rate of 1e-3 is to be seen.
  uint32_t bounded_trials = 10'000;
  // Of the trend rule, which is slow, outside the patterns of the published table; at most
  // `trials`.
  uint32_t trend_trials = 2000;
};

// One rule on one pattern under one noise.
struct RateRow {
  std::string pattern;
  bool leaks = false;
  std::string noise;  // "none", "white", "ar_0.8", "random_walk", "two_level", "saturating"
  std::string rule;   // "survivor", "survivor_8192", "trend", or of Rivals()
  uint32_t trials = 0;
  uint32_t flagged = 0;  // called a leak
  uint32_t clean = 0;    // of our rules only, as the rest is
  uint32_t growing = 0;
  uint32_t wrongly_excluded = 0;  // CLEAN with a bound that excludes the leak there is
  double median_iterations = 0;   // until the verdict, of exact counters

  double Rate() const { return static_cast<double>(flagged) / trials; }
};

struct Interval {
  double low = 0;
  double high = 0;
};

// Wilson's 95 % interval of a proportion. REQUIRES: trials > 0.
Interval WilsonInterval(uint32_t count, uint32_t trials);

// All rules on one pattern. Our rule for exact counters sees the exact series, with noise
// "none"; its budget is 2,048 iterations, and "survivor_8192" is a leak of 3 % in 8,192. The
// others see bytes and objects, "none" or with noise of a block of 64 bytes for a unit, and
// OpenVINO's rule the bytes on top of 200 MiB; the trend rule sees its ten children of 256
// iterations, each with chances of its own. The crowds are for our exact rule only, with the
// plan's `trials`. Equal plans give equal rows.
std::vector<RateRow> MeasureRates(const TrialPlan& plan, const Pattern& pattern);

struct CharacteristicsBar {
  std::string name;
  double value = 0;
  double limit = 0;
  bool at_most = false;
  bool Holds() const { return at_most ? value <= limit : value >= limit; }
};

// On the rows that are there: our rules call a bounded pattern LEAK at most once in 1,000
// trials, whatever the noise; a leak in every 16th iteration is found by 2,048, one of 10 % in
// 95 % and, by 8,192, one of 3 % in 60 % of the trials; no CLEAN excludes a leak there is.
std::vector<CharacteristicsBar> CheckBars(std::span<const RateRow> rows);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_CHARACTERISTICS_H_
