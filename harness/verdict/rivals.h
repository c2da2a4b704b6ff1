#ifndef HARNESS_VERDICT_RIVALS_H_
#define HARNESS_VERDICT_RIVALS_H_

// The leak rules of other tools, to be scored on the same recordings as ours. Each is what
// the tool documents, with its own constants, on one series with a value per iteration.
// Pure functions; thread-safe.

#include <cstdint>
#include <span>

namespace plimsoll {

// Of one run, a value at each iteration's end, the tool's own warm-up included. Of equal
// length; `rss` may be empty where nothing was recorded.
struct RivalSeries {
  std::span<const double> bytes;    // exact, or as noisy as a test makes it
  std::span<const double> objects;  // likewise
  std::span<const double> rss;      // bytes resident
};

struct Rival {
  const char* name;
  const char* rule;                          // one line
  uint32_t iterations;                       // what it reads at most; fewer and it has no opinion
  bool (*flags)(const RivalSeries& series);  // REQUIRES: that many values
};

// psleak, cpython, leakcanary, bleak, next_leak, ols_20, mann_kendall_50, openvino.
std::span<const Rival> Rivals();

// psleak (psutil): runs of `calls`, `calls` + `more`, … calls, ten at most; passes at the first
// that gained nothing, or no more than the run before. It makes 200, 300 … 1,100 calls; a
// recording of one value per iteration affords a hundredth.
// REQUIRES, for all below: as many values as the rule reads.
bool PsleakFlags(std::span<const double> values, uint32_t calls, uint32_t more);

// CPython's regrtest -R 3:3: three runs of warm-up, then every one of three gains at least 1.
bool CpythonFlags(std::span<const double> values);

// LeakCanary's heap growth detector: five dumps, `loops` iterations apart; the node gains at
// least as many objects as loops in every difference.
bool LeakCanaryFlags(std::span<const double> objects, uint32_t loops);

// BLeak: strict growth through all of eight snapshots.
bool BleakFlags(std::span<const double> values);

// next-leak: cycles of `load` iterations, a sample after each; the first cycle is warm-up. A
// leak when each later sample gains at least `gate`, or stepwise: two do, the mean gain reaches
// the gate and less than a tenth of the net gain is ever given back. Four cycles, or eight when
// the four are inconclusive: never flat, yet no gain reaches the gate or not all do.
bool NextLeakFlags(std::span<const double> values, uint32_t load, double gate);

// A line through 20 values: it rises and explains at least half of the variance.
bool RegressionFlags(std::span<const double> values);

// Mann and Kendall's trend test on 50 values, one-sided at 5 %, corrected for ties.
bool MannKendallFlags(std::span<const double> values);

// OpenVINO's memleaks test: means of five samples; after 30 iterations of warm-up one is the
// reference; of the following `iterations` / 5 an outlier is more than 10 % above it. More than
// five outliers: a new reference is taken, three times; then it fails.
bool OpenVinoFlags(std::span<const double> rss, uint32_t iterations);

// How many values OpenVinoFlags may read, when the reference is renewed as late as it can be.
constexpr uint32_t OpenVinoReads(uint32_t iterations) { return 30 + 4 * iterations; }

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_RIVALS_H_
