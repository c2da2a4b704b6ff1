#include "harness/verdict/rivals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <vector>

namespace plimsoll {
namespace {

// A recording affords a hundredth of psleak's calls: 2, 3 … 11, 65 in all.
constexpr uint32_t kPsleakCalls = 2;
constexpr uint32_t kPsleakMore = 1;
constexpr int kPsleakRuns = 10;
constexpr uint32_t kPsleakReads = 65;

constexpr size_t kCpythonWarmup = 3;
constexpr size_t kCpythonRuns = 3;

constexpr size_t kLeakCanaryDumps = 5;
constexpr uint32_t kLeakCanaryLoops = 2;

constexpr size_t kBleakSnapshots = 8;

constexpr size_t kNextLeakCycles = 4;
constexpr uint32_t kNextLeakLoad = 8;
// Its own is 256 KiB a cycle, what samples of a Node heap resolve; exact counters resolve a
// block.
constexpr double kNextLeakGate = 64;
constexpr double kNextLeakDrawdown = 0.1;
constexpr size_t kNextLeakSteps = 2;

constexpr size_t kRegressionValues = 20;
constexpr double kExplained = 0.5;

constexpr size_t kMannKendallValues = 50;
constexpr double kOneSided5 = 1.6448536269514722;

constexpr size_t kOpenVinoGroup = 5;
constexpr size_t kOpenVinoWarmup = 30;
constexpr double kOpenVinoThreshold = 0.1;
constexpr int kOpenVinoOutliers = 5;
constexpr int kOpenVinoRetries = 3;
constexpr uint32_t kOpenVinoIterations = 100;

enum class Opinion { kLeak, kStable, kInconclusive };

// `samples`: of the warm-up cycle and those after it.
Opinion NextLeakOpinion(const std::vector<double>& samples, double gate) {
  std::vector<double> gains;
  double peak = samples[0];
  double drawdown = 0;
  for (size_t i = 1; i < samples.size(); ++i) {
    gains.push_back(samples[i] - samples[i - 1]);
    peak = std::max(peak, samples[i]);
    drawdown = std::max(drawdown, peak - samples[i]);
  }
  const double net = samples.back() - samples.front();
  const auto growing = static_cast<size_t>(
      std::count_if(gains.begin(), gains.end(), [&](double gain) { return gain >= gate; }));
  if (growing == gains.size()) return Opinion::kLeak;
  if (growing >= kNextLeakSteps && net / static_cast<double>(gains.size()) >= gate &&
      drawdown <= net * kNextLeakDrawdown) {
    return Opinion::kLeak;
  }
  const bool flat = std::any_of(gains.begin(), gains.end(), [](double gain) { return gain <= 0; });
  return flat ? Opinion::kStable : Opinion::kInconclusive;
}

}  // namespace

bool PsleakFlags(std::span<const double> values, uint32_t calls, uint32_t more) {
  size_t end = 0;
  double start_value = values[0];
  double before = 0;
  for (int run = 0; run < kPsleakRuns; ++run) {
    end += calls + static_cast<size_t>(run) * more;
    const double gain = values[end - 1] - start_value;
    if (gain <= 0 || gain <= before) return false;
    before = gain;
    start_value = values[end - 1];
  }
  return true;
}

bool CpythonFlags(std::span<const double> values) {
  for (size_t i = kCpythonWarmup; i < kCpythonWarmup + kCpythonRuns; ++i) {
    if (values[i] - values[i - 1] < 1) return false;
  }
  return true;
}

bool LeakCanaryFlags(std::span<const double> objects, uint32_t loops) {
  for (size_t dump = 1; dump < kLeakCanaryDumps; ++dump) {
    if (objects[(dump + 1) * loops - 1] - objects[dump * loops - 1] < loops) return false;
  }
  return true;
}

bool BleakFlags(std::span<const double> values) {
  for (size_t i = 1; i < kBleakSnapshots; ++i) {
    if (values[i] <= values[i - 1]) return false;
  }
  return true;
}

bool NextLeakFlags(std::span<const double> values, uint32_t load, double gate) {
  std::vector<double> samples;
  for (size_t cycle = 1; cycle <= 2 * kNextLeakCycles; ++cycle) {
    samples.push_back(values[cycle * load - 1]);
    if (cycle < kNextLeakCycles) continue;
    if (cycle > kNextLeakCycles && cycle < 2 * kNextLeakCycles) continue;
    const Opinion opinion = NextLeakOpinion(samples, gate);
    if (opinion != Opinion::kInconclusive) return opinion == Opinion::kLeak;
  }
  return false;
}

bool RegressionFlags(std::span<const double> values) {
  const std::span<const double> y = values.first(kRegressionValues);
  const auto n = static_cast<double>(y.size());
  const double mean_x = (n - 1) / 2;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0;
  double xy = 0;
  double yy = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double dx = static_cast<double>(i) - mean_x;
    const double dy = y[i] - mean_y;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  return xy > 0 && xy * xy >= kExplained * xx * yy;
}

bool MannKendallFlags(std::span<const double> values) {
  const std::span<const double> y = values.first(kMannKendallValues);
  double sum = 0;
  std::map<double, double> ties;
  for (size_t i = 0; i < y.size(); ++i) {
    ++ties[y[i]];
    for (size_t j = 0; j < i; ++j) sum += (y[i] > y[j]) - (y[i] < y[j]);
  }
  const auto term = [](double n) { return n * (n - 1) * (2 * n + 5); };
  double variance = term(static_cast<double>(y.size()));
  for (const auto& [value, count] : ties) variance -= term(count);
  if (sum <= 1 || variance <= 0) return false;
  return (sum - 1) / std::sqrt(variance / 18) > kOneSided5;
}

bool OpenVinoFlags(std::span<const double> rss, uint32_t iterations) {
  double reference = 0;
  int references = 0;
  int outliers = 0;
  int64_t left = 0;
  for (size_t end = kOpenVinoWarmup;; end += kOpenVinoGroup) {
    const auto group = rss.subspan(end - kOpenVinoGroup, kOpenVinoGroup);
    const double mean = std::accumulate(group.begin(), group.end(), 0.0) / kOpenVinoGroup;
    if (references == 0 || (references <= kOpenVinoRetries && outliers > kOpenVinoOutliers)) {
      ++references;
      reference = mean;
      outliers = 0;
      left = iterations / kOpenVinoGroup;
    } else if (left <= 0) {
      break;
    }
    --left;
    outliers += mean > reference * (1 + kOpenVinoThreshold);
  }
  return outliers > kOpenVinoOutliers;
}

std::span<const Rival> Rivals() {
  static constexpr Rival kRivals[] = {
      {"psleak", "ten runs of 2 to 11 calls, each gaining more than the one before", kPsleakReads,
       [](const RivalSeries& series) {
         return PsleakFlags(series.bytes, kPsleakCalls, kPsleakMore);
       }},
      {"cpython", "three gains in a row after three iterations", kCpythonWarmup + kCpythonRuns,
       [](const RivalSeries& series) { return CpythonFlags(series.bytes); }},
      {"leakcanary", "five dumps, each with two objects more", kLeakCanaryDumps * kLeakCanaryLoops,
       [](const RivalSeries& series) { return LeakCanaryFlags(series.objects, kLeakCanaryLoops); }},
      {"bleak", "strict growth through eight snapshots", kBleakSnapshots,
       [](const RivalSeries& series) { return BleakFlags(series.bytes); }},
      {"next_leak", "four cycles of eight iterations, each gaining 64 B, or stepwise",
       2 * kNextLeakCycles * kNextLeakLoad,
       [](const RivalSeries& series) {
         return NextLeakFlags(series.bytes, kNextLeakLoad, kNextLeakGate);
       }},
      {"ols_20", "a rising line explains half the variance of 20 values", kRegressionValues,
       [](const RivalSeries& series) { return RegressionFlags(series.bytes); }},
      {"mann_kendall_50", "a rising trend in 50 values at 5 %", kMannKendallValues,
       [](const RivalSeries& series) { return MannKendallFlags(series.bytes); }},
      {"openvino", "RSS 10 % over its reference in six of 20 means, four times",
       OpenVinoReads(kOpenVinoIterations),
       [](const RivalSeries& series) { return OpenVinoFlags(series.rss, kOpenVinoIterations); }},
  };
  return kRivals;
}

}  // namespace plimsoll
