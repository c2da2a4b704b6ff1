#ifndef STRESS_TESTS_PEER_TABLE_H_
#define STRESS_TESTS_PEER_TABLE_H_

// What workspace_benchmark measured under several mallocs, side by side: figures, ratios
// and the lines that they are held to. Thread-safe: pure functions.

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll {

struct PeerFigure {
  double nanoseconds = 0;                  // CPU time of one item, in the fastest run
  std::optional<double> faults_per_cycle;  // of that run; absent: not counted
};

// By loop ("Cycle"), then by contender ("workspace", "monotonic", "jemalloc").
using PeerFigures = std::map<std::string, std::map<std::string, PeerFigure>>;

// Adds what a run of workspace_benchmark wrote (--benchmark_out). Its contender "malloc"
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
std::vector<PeerLine> HoldPeerLines(const PeerFigures& figures);

// A table for a person: each figure, how many times the workspace's it is, and the lines.
std::string RenderPeers(const PeerFigures& figures, const std::vector<PeerLine>& lines);

// {"loops": {LOOP: {CONTENDER: {"nanoseconds", "times_workspace", "faults_per_cycle"}}},
//  "lines": [{"text", "value", "limit", "holds"}]}; what was not measured is null.
nlohmann::json PeersJson(const PeerFigures& figures, const std::vector<PeerLine>& lines);

}  // namespace plimsoll

#endif  // STRESS_TESTS_PEER_TABLE_H_
