#ifndef SCENARIOS_LAUNCH_LAUNCH_H_
#define SCENARIOS_LAUNCH_LAUNCH_H_

// From a script's case to its result: resolves model, environment and engine, writes
// the engine's configuration, runs the case and holds it against its lines.
// Thread-compatible.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/runner/children.h"
#include "harness/runner/parent.h"
#include "scenarios/script/script.h"

namespace plimsoll {

// What overrides the script, from a command line.
struct LaunchOptions {
  std::optional<uint32_t> warmup;
  std::optional<uint32_t> iterations;
  std::optional<double> level;
  std::optional<double> timeout_seconds;
  bool capture_stacks = true;
  std::vector<Suppression> suppressions;
  std::optional<ChildrenOptions> children;  // instead of the script's `noisy`
};

// A private folder for engines' configurations, removed with everything in it.
class ScratchFolder {
 public:
  static Expected<ScratchFolder> Make();  // below $TMPDIR, else /tmp
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// What the case comes to in the runner's terms. Writes missing zoo models to the cache
// and `config.json` into `folder`. Errors begin with the script's file and line.
Expected<CaseSpec> PrepareCase(const ScriptCase& script_case, const LaunchOptions& options,
                               const ScratchFolder& folder);

// PrepareCase, RunCase and HoldLines. What cannot be prepared is a case with verdict ERROR.
CaseResult RunScriptCase(const ScriptCase& script_case, const LaunchOptions& options,
                         const ScratchFolder& folder, CaseObserver& observer);

}  // namespace plimsoll

#endif  // SCENARIOS_LAUNCH_LAUNCH_H_
