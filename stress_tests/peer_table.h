#ifndef STRESS_TESTS_PEER_TABLE_H_
#define STRESS_TESTS_PEER_TABLE_H_

// What a benchmark measured under several mallocs, side by side: figures, ratios and the
// lines that they are held to. Thread-safe: pure functions.

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll {

struct PeerFigure {
  // CPU time of one item, in the fastest run: the mean, or the lower quartile if the
  // benchmark counts "lower_quartile_ns".
  double nanoseconds = 0;
  std::optional<double> faults_per_cycle;  // the most of any run; absent: not counted
  struct Span {
    double least = 0;
    double greatest = 0;
  };
  // What else the benchmark counted, by name, over all runs.
  std::map<std::string, Span> counters;
};

// By loop ("Cycle"), then by contender ("workspace", "monotonic", "jemalloc").
using PeerFigures = std::map<std::string, std::map<std::string, PeerFigure>>;

// Adds what a run of a benchmark wrote (--benchmark_out). Its contender "malloc"
// goes by the name of `malloc_name`. With a `library` ("libjemalloc.so.2"), malloc must
// have come from it. Errors name `where`: not such a document, another malloc, a
// benchmark that failed.
Status AddPeerRun(PeerFigures& figures, const nlohmann::json& run, std::string_view malloc_name,
                  std::string_view library, std::string_view where);

// A line and what was measured against it.
struct PeerLine {
  std::string text;             // "an allocation in a scope takes at most 5 ns"
  std::optional<double> value;  // absent: not measured, and then it does not hold
  double limit = 0;
  bool holds = false;
};
PeerLine AtMost(std::string text, std::optional<double> value, double limit);
PeerLine AtLeast(std::string text, std::optional<double> value, double limit);

// Nothing where it was not measured.
const PeerFigure* FindPeer(const PeerFigures& figures, const std::string& loop,
                           const std::string& contender);
// How many times as long `contender` takes as `reference`.
std::optional<double> PeerRatio(const PeerFigures& figures, const std::string& loop,
                                const std::string& contender, const std::string& reference);

// The lines of workspace_benchmark.
std::vector<PeerLine> HoldPeerLines(const PeerFigures& figures);

// A table for a person: each figure, how many times that of `reference` (a contender) it
// is, and the lines.
std::string RenderPeers(const PeerFigures& figures, const std::vector<PeerLine>& lines,
                        const std::string& reference = "workspace");

// {"loops": {LOOP: {CONTENDER: {"nanoseconds", "times_" + reference, "faults_per_cycle",
//  COUNTER: {"least", "greatest"}}}}, "lines": [{"text", "value", "limit", "holds"}]}; what
// was not measured is null.
nlohmann::json PeersJson(const PeerFigures& figures, const std::vector<PeerLine>& lines,
                         const std::string& reference = "workspace");

}  // namespace plimsoll

#endif  // STRESS_TESTS_PEER_TABLE_H_
