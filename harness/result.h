#ifndef HARNESS_RESULT_H_
#define HARNESS_RESULT_H_

// One case's outcome: what verdict, gate and runner fill in and report prints. Plain
// data in the shape of the results JSON (schema_version 1); units are in the names.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/sample.h"

namespace plimsoll {

enum class Verdict : uint8_t { kClean, kLeak, kGrowing, kOver, kInconclusive, kError };
// "CLEAN", "LEAK", "GROWING", "OVER", "INCONCLUSIVE", "ERROR".
const char* VerdictName(Verdict verdict);

// The smallest leak that a CLEAN excludes.
struct MinimumDetectable {
  double bytes_per_iteration = 0;  // exact counters: 1 byte in an iteration that leaks
  double one_in_iterations = 0;    // a leak this rare, or rarer, may have been missed
  double confidence = 0.95;
};

struct Growth {
  double bytes_per_iteration = 0;
  double blocks_per_iteration = 0;
  std::optional<MinimumDetectable> minimum_detectable;  // absent unless CLEAN (or OVER) was reached
};

struct Peak {
  Count rss_bytes;
  Count rss_anon_bytes;
  Count rss_file_bytes;
  Count live_heap_bytes;
  std::optional<double> page_faults_per_iteration;  // median over measured iterations
};

// What kind of growth, or what the kernel's numbers are made of.
struct Diagnosis {
  // live_heap, allocator_retention, fragmentation, thread_caches, mappings,
  // file_pages, stacks, descriptors, threads, unaccounted.
  std::string kind;
  double bytes = 0;      // may be negative: shrank
  std::string evidence;  // one sentence with the figures it rests on
  std::string advice;    // one line the run supports; may be empty
};

struct SiteFinding {
  ResourceKind kind = ResourceKind::kHeap;
  Verdict verdict = Verdict::kLeak;  // kLeak or kGrowing
  uint32_t site = 0;
  double bytes_per_iteration = 0;
  double blocks_per_iteration = 0;
  std::optional<uint32_t> period;  // leaks every k-th iteration
  std::string pattern;             // "every iteration", "every 7th iteration", "about one in 12" …
  std::vector<std::string> stack;  // "function (file:line)", innermost first
};

// A leaking or growing site that a suppression left out of the verdict.
struct SuppressedSite {
  std::string name;    // of the suppression
  std::string reason;  // of the suppression
  ResourceKind kind = ResourceKind::kHeap;
  double bytes_per_iteration = 0;
  std::vector<std::string> stack;
};

// What several child processes say of a counter that is too noisy for one.
struct TrendResult {
  std::string metric;  // "RssAnon", "unaccounted" …: see NoisyMetricName
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;  // one sentence
  double bytes_per_iteration = 0;        // median over the children
  double upper_bytes_per_iteration = 0;  // more is excluded at the case's level
  uint32_t children = 0;
  uint32_t iterations = 0;  // of each child, after warm-up
};

struct LineResult {
  std::string metric;  // peak_rss_bytes, live_heap_peak_bytes, growth_bytes_per_iteration, descriptors …
  std::optional<double> value;
  double limit = 0;
  std::string source;  // "script", "baseline", "test"
  bool holds = true;
};

struct CaseResult {
  std::string name;  // scenario/engine/allocator/environment
  std::string scenario, engine, allocator, environment;
  Verdict verdict = Verdict::kError;
  bool skipped = false;  // e.g. the environment's library is not installed; reason says so
  std::string reason;    // one sentence
  uint32_t iterations = 0;  // measured, warm-up excluded
  uint32_t warmup = 0;
  double seconds = 0;
  Growth growth;
  Peak peak;
  std::vector<Diagnosis> diagnosis;
  std::vector<SiteFinding> sites;
  std::vector<SuppressedSite> suppressed;
  std::vector<TrendResult> trends;  // empty unless noisy counters were judged
  std::vector<LineResult> lines;
  std::vector<Sample> samples;
  std::vector<std::string> last_output;  // of a child that failed
};

}  // namespace plimsoll

#endif  // HARNESS_RESULT_H_
