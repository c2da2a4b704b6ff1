#ifndef SCENARIOS_SCRIPT_SCRIPT_H_
#define SCENARIOS_SCRIPT_SCRIPT_H_

// Scripts: YAML files that describe scenarios, and the cases they stand for.
// Thread-safe: pure functions of the files they read.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/gate/lines.h"
#include "harness/sample.h"
#include "harness/verdict/trend_rule.h"

namespace plimsoll {

// An environment that a script spells out instead of naming one.
struct CustomEnvironment {
  std::string preload;  // a shared library; may be empty
  std::map<std::string, std::string> variables;
};

// A cache that may grow until it is full: all that is made of one kind after the warm-up, and
// kept, is not judged up to the capacity; above it the case is OVER.
struct BoundedBy {
  ResourceKind kind = ResourceKind::kHeap;
  std::optional<uint64_t> bytes;
  std::optional<uint64_t> blocks;
  std::string why;
};

// Counters that are too noisy for one process are judged over several (trend_rule.h).
struct Noisy {
  std::vector<NoisyMetric> metrics = {NoisyMetric::kUnaccounted};
  std::optional<uint32_t> children;       // absent: as many as the level needs
  std::optional<uint64_t> exclude_bytes;  // per iteration: to be found or excluded
};

// One scenario on one engine with one allocator in one environment.
struct ScriptCase {
  std::string scenario;
  std::string engine;  // its child binary is engine_ENGINE
  std::string allocator;
  std::string environment;  // a name that the runner knows, or that of `custom`
  std::optional<CustomEnvironment> custom_environment;
  // What the engine reads (engines/config.h); models are as the script has them, to be
  // resolved before the run: resolve.h.
  std::string config_json;
  std::vector<Line> lines;
  std::vector<BoundedBy> bounded_by;
  std::optional<Noisy> noisy;
  uint32_t warmup = 8;         // iterations before the first measured one
  uint32_t input_cycle = 0;    // iterations until the inputs repeat; 0: each is alike
  uint32_t iterations = 2048;  // most to measure
  bool early_stop = true;      // false: run them all, whatever an earlier look says
  double timeout_seconds = 600;
  std::string script;  // "PATH:LINE" of the scenario

  // "SCENARIO/ENGINE/ALLOCATOR/ENVIRONMENT".
  std::string Name() const { return scenario + "/" + engine + "/" + allocator + "/" + environment; }
};

// The cases of one script, in the order written. The error is of the form
// "FILE:LINE: FIELD: 'VALUE': what is allowed".
Expected<std::vector<ScriptCase>> LoadScript(const std::string& path);

// The scripts that `paths` stand for: a file is itself, a folder is every *.yaml and
// *.yml below it, sorted. Errors: no such path, a folder without a script.
Expected<std::vector<std::string>> FindScripts(const std::vector<std::string>& paths);

}  // namespace plimsoll

#endif  // SCENARIOS_SCRIPT_SCRIPT_H_
