#ifndef HARNESS_GATE_LINES_H_
#define HARNESS_GATE_LINES_H_

// Lines: limits on what a case may hold or gain, and whether a result keeps below them.
// Thread-safe: pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "harness/result.h"

namespace plimsoll {

// A limit on one metric; a value equal to it still holds.
struct Line {
  std::string metric;  // "peak_rss_bytes": see LineKeys
  double limit = 0;    // in the metric's unit
  std::string source;  // who drew it: "script", "baseline", "test"
};

// What can be limited.
struct LineKey {
  std::string_view key;      // as scripts write it: "peak_rss"
  std::string_view metric;   // as results write it: "peak_rss_bytes"
  std::string_view example;  // "450 MiB"
};

// growth           growth_bytes_per_iteration   "0 B/iter"
// growth_blocks    growth_blocks_per_iteration  "0/iter"
// peak_rss         peak_rss_bytes               "450 MiB"    high-water mark of the process
// peak_rss_anon    peak_rss_anon_bytes          "400 MiB"    without file pages
// peak_rss_file    peak_rss_file_bytes          "100 MiB"
// live_heap_peak   live_heap_peak_bytes         "200 MiB"    most the program held at once
// page_faults      page_faults_per_iteration    "100/iter"   median
// fds, threads, mappings  descriptors_gained …  "0"          from the end of warm-up to the end
const std::vector<LineKey>& LineKeys();

// Reads a line as a script writes it: `lines: {KEY: TEXT}`. The error names the field,
// the value and what is allowed; the caller puts the file and line in front.
Expected<Line> ParseLine(std::string_view key, std::string_view text, std::string_view source);

// The value of a metric in a result; absent when it was not measured, or no such metric.
std::optional<double> MetricValue(const CaseResult& result, std::string_view metric);

// Holds a result against each line, in order. A line whose value was not measured does
// not hold, and its LineResult has no value.
std::vector<LineResult> Hold(const CaseResult& result, const std::vector<Line>& lines);

// Adds Hold's results to the case. A line that does not hold turns CLEAN, GROWING and
// INCONCLUSIVE into OVER and says which; LEAK and ERROR stay, with the line in the reason.
void HoldLines(CaseResult& result, const std::vector<Line>& lines);

// A value of the metric as people read it: "450 MiB", "64 B/iter", "12/iter", "3".
std::string FormatMetric(std::string_view metric, double value);

}  // namespace plimsoll

#endif  // HARNESS_GATE_LINES_H_
