#ifndef STRESS_TESTS_PEER_RUN_H_
#define STRESS_TESTS_PEER_RUN_H_

// Runs a benchmark under another malloc, in a process of its own. Thread-safe.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace plimsoll {

struct PeerRun {
  std::string malloc_name;           // "jemalloc", for errors
  std::vector<std::string> command;  // a Google Benchmark program
  std::string preload;               // path; empty: the C library's malloc
  std::vector<std::pair<std::string, std::string>> variables;  // of its environment
};

// Runs it to its end, its table going where ours goes; returns what it wrote with
// --benchmark_out, for which `scratch` is a file. Each repetition should be a run of its
// own: of repetitions in one, Google Benchmark also writes the variation, and that of
// counters which are all 0 is no JSON.
Expected<nlohmann::json> RunPeer(const PeerRun& run, const std::string& scratch);

// The same of programs that wait for their turn (turn.h) before each step, all at once: one
// goes on at a time, to its next wait or its end, and then the next one. Each round has an
// order of its own, the same in every run, so that none always follows the same one. Results
// are in the order of `runs`; one that fails ends nothing but itself. `scratch` is a prefix
// for files.
std::vector<Expected<nlohmann::json>> RunPeersInTurns(const std::vector<PeerRun>& runs,
                                                      const std::string& scratch);

// What a run was made of, as every result file says it. `folder` is in the working tree.
nlohmann::json PeerContext(const std::string& folder);

}  // namespace plimsoll

#endif  // STRESS_TESTS_PEER_RUN_H_
