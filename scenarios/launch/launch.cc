#include "scenarios/launch/launch.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "harness/gate/lines.h"
#include "harness/runner/environment.h"
#include "scenarios/launch/installation.h"
#include "scenarios/launch/weight_files.h"
#include "scenarios/script/resolve.h"

namespace plimsoll {
namespace {

Expected<Environment> EnvironmentOf(const ScriptCase& script_case) {
  if (!script_case.custom_environment.has_value()) {
    Expected<Environment> known = FindEnvironment(script_case.environment);
    if (!known.has_value()) return Fail(script_case.script + ": " + known.error().message);
    return known;
  }
  const CustomEnvironment& custom = *script_case.custom_environment;
  Environment environment;
  environment.name = script_case.environment;
  environment.library = custom.preload;
  environment.variables.assign(custom.variables.begin(), custom.variables.end());
  return environment;
}

// How the case's noisy counters are judged, if at all.
std::optional<ChildrenOptions> ChildrenOf(const ScriptCase& script_case,
                                          const LaunchOptions& options) {
  if (options.children.has_value() || !script_case.noisy.has_value()) return options.children;
  ChildrenOptions children;
  children.metrics = script_case.noisy->metrics;
  children.children = script_case.noisy->children;
  if (const auto bytes = script_case.noisy->exclude_bytes; bytes.has_value()) {
    children.wanted_bytes_per_iteration = static_cast<double>(*bytes);
  }
  if (options.level.has_value()) children.level = *options.level;
  return children;
}

std::string FindingsPath(const ScratchFolder& folder) { return folder.path() + "/findings.json"; }

// What the engine found out about its memory (engines/engine_main.h) is part of the
// diagnosis. A case that did not get so far, or an engine of another kind, has none.
void AddFindings(const ScratchFolder& folder, CaseResult& result) {
  const Expected<std::string> text = ReadFile(FindingsPath(folder));
  if (!text.has_value()) return;
  const nlohmann::json list = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return;
  for (const nlohmann::json& finding : list) {
    result.diagnosis.push_back({finding.value("kind", ""), finding.value("bytes", 0.0),
                                finding.value("evidence", ""), ""});
  }
}

}  // namespace

Expected<ScratchFolder> ScratchFolder::Make() {
  const char* parent = std::getenv("TMPDIR");
  std::string path =
      std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") + "/plimsoll-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return SystemError(path, "cannot make the folder", errno);
  return ScratchFolder(std::move(path));
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

ScratchFolder::~ScratchFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Expected<CaseSpec> PrepareCase(const ScriptCase& script_case, const LaunchOptions& options,
                               const ScratchFolder& folder) {
  CaseSpec spec;
  spec.scenario = script_case.scenario;
  spec.engine = script_case.engine;
  spec.allocator = script_case.allocator;
  Expected<Environment> environment = EnvironmentOf(script_case);
  if (!environment.has_value()) return tl::unexpected(environment.error());
  spec.environment = *std::move(environment);

  spec.rule.warmup = options.warmup.value_or(script_case.warmup);
  spec.rule.max_iterations = options.iterations.value_or(script_case.iterations);
  // One look, at the end, instead of several on the way there.
  if (!script_case.early_stop) spec.rule.first_look = spec.rule.max_iterations;
  if (options.level.has_value()) spec.rule.level = *options.level;
  spec.rule.input_cycle = script_case.input_cycle;
  for (const BoundedBy& cache : script_case.bounded_by) {
    spec.rule.bounds.push_back({.kind = cache.kind, .blocks = cache.blocks, .bytes = cache.bytes});
  }
  if (const Status checked = Check(spec.rule); !checked.has_value()) {
    return Fail(script_case.script + ": " + checked.error().message);
  }
  if (const auto children = ChildrenOf(script_case, options); children.has_value()) {
    if (const Status checked = Check(*children); !checked.has_value()) {
      return Fail(script_case.script + ": noisy: " + checked.error().message);
    }
  }
  spec.time_limit =
      std::chrono::duration<double>(options.timeout_seconds.value_or(script_case.timeout_seconds));
  spec.capture_stacks = options.capture_stacks;
  spec.suppressions = options.suppressions;

  const Expected<std::string> engine = EngineBinary(script_case.engine);
  if (!engine.has_value()) return tl::unexpected(engine.error());
  const Expected<std::string> config = ResolveConfig(script_case);
  if (!config.has_value()) return tl::unexpected(config.error());
  const Expected<std::string> loaded = ResolveWeights(*config, *engine, script_case.script);
  if (!loaded.has_value()) return tl::unexpected(loaded.error());
  nlohmann::json complete = nlohmann::json::parse(*loaded);
  complete["findings"] = FindingsPath(folder);
  // What an earlier case left.
  std::error_code ignored;
  std::filesystem::remove(FindingsPath(folder), ignored);
  const std::string path = folder.path() + "/config.json";
  if (const Status written = WriteFile(path, complete.dump()); !written.has_value()) {
    return tl::unexpected(written.error());
  }
  spec.command = {*engine, path};
  return spec;
}

CaseResult RunScriptCase(const ScriptCase& script_case, const LaunchOptions& options,
                         const ScratchFolder& folder, CaseObserver& observer) {
  const Expected<CaseSpec> spec = PrepareCase(script_case, options, folder);
  const Expected<std::string> ledger = LedgerLibrary();
  if (!spec.has_value() || !ledger.has_value()) {
    CaseResult result;
    result.name = script_case.Name();
    result.scenario = script_case.scenario;
    result.engine = script_case.engine;
    result.allocator = script_case.allocator;
    result.environment = script_case.environment;
    result.reason = spec.has_value() ? ledger.error().message : spec.error().message;
    return result;
  }
  const std::optional<ChildrenOptions> children = ChildrenOf(script_case, options);
  CaseResult result = children.has_value() ? RunChildren(*spec, *children, *ledger, observer)
                                           : RunCase(*spec, *ledger, observer);
  AddFindings(folder, result);
  HoldLines(result, script_case.lines);
  return result;
}

}  // namespace plimsoll
