#include "tools/run_command.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "harness/gate/suppression_file.h"
#include "harness/report/progress.h"
#include "harness/runner/environment.h"
#include "scenarios/launch/installation.h"
#include "scenarios/launch/launch.h"
#include "scenarios/script/script.h"
#include "scenarios/zoo/models.h"
#include "tools/exit_status.h"
#include "tools/noise_options.h"
#include "tools/report_options.h"

namespace plimsoll {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void Interrupt(int) { g_interrupted = 1; }

// Ctrl-C ends the running case, not the results of those before it.
void HandleInterrupts() {
  struct sigaction action = {};
  action.sa_handler = Interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Refuse(const Error& error) {
  std::fprintf(stderr, "plimsoll: %s\n", error.message.c_str());
  return kExitBadRequest;
}

struct RunOptions {
  std::vector<std::string> paths;
  std::string filter;
  LaunchOptions launch;
  ReportOptions reports;
  NoiseOptions noise;
  std::string suppressions;
  bool no_stacks = false;
};

Expected<std::vector<ScriptCase>> LoadCases(const std::vector<std::string>& paths,
                                            const std::string& filter) {
  std::regex pattern;
  try {
    pattern.assign(filter);
  } catch (const std::regex_error& error) {
    return BadValue("", "--filter", filter,
                    std::string("expected a regular expression: ") + error.what());
  }
  const Expected<std::vector<std::string>> scripts = FindScripts(paths);
  if (!scripts.has_value()) return tl::unexpected(scripts.error());
  std::vector<ScriptCase> cases;
  size_t before = 0;
  for (const std::string& script : *scripts) {
    Expected<std::vector<ScriptCase>> loaded = LoadScript(script);
    if (!loaded.has_value()) return tl::unexpected(loaded.error());
    before += loaded->size();
    for (ScriptCase& script_case : *loaded) {
      if (std::regex_search(script_case.Name(), pattern)) cases.push_back(std::move(script_case));
    }
  }
  if (cases.empty()) {
    return BadValue("", "--filter", filter,
                    "matches none of " + std::to_string(before) + " cases; see plimsoll list");
  }
  return cases;
}

// Shows a running case on the terminal, and its end of run to the runner.
class Observer : public CaseObserver {
 public:
  explicit Observer(Progress& progress) : progress_(progress) {}
  void OnSample(const Sample& sample) override { progress_.OnSample(sample); }
  bool Cancelled() override { return g_interrupted != 0; }

 private:
  Progress& progress_;
};

int Run(const RunOptions& options) {
  const Expected<std::vector<ScriptCase>> cases = LoadCases(options.paths, options.filter);
  if (!cases.has_value()) return Refuse(cases.error());
  Expected<ScratchFolder> folder = ScratchFolder::Make();
  if (!folder.has_value()) return Refuse(folder.error());
  // A bad request is refused before the first case runs, not after an hour.
  LaunchOptions launch = options.launch;
  launch.capture_stacks = !options.no_stacks;
  const auto children = ChildrenFor(options.noise, launch.level.value_or(Rule().level), true);
  if (!children.has_value()) return Refuse(children.error());
  launch.children = *children;
  if (!options.suppressions.empty()) {
    Expected<std::vector<Suppression>> loaded = LoadSuppressions(options.suppressions);
    if (!loaded.has_value()) return Refuse(loaded.error());
    launch.suppressions = *std::move(loaded);
  }
  for (const ScriptCase& script_case : *cases) {
    const Expected<CaseSpec> spec = PrepareCase(script_case, launch, *folder);
    if (!spec.has_value()) return Refuse(spec.error());
  }

  HandleInterrupts();
  std::vector<CaseResult> results;
  {
    Progress progress(STDERR_FILENO, cases->size());
    Observer observer(progress);
    for (const ScriptCase& script_case : *cases) {
      if (g_interrupted != 0) break;
      progress.StartCase(script_case.Name());
      results.push_back(RunScriptCase(script_case, launch, *folder, observer));
      progress.EndCase();
    }
  }

  std::string command = "plimsoll run";
  for (const std::string& path : options.paths) command += " " + path;
  const bool to_stdout = !SendsToStandardOutput(options.reports);
  PrintTable(options.reports, results, command, to_stdout ? stdout : stderr);
  for (const std::string& line : SuppressionUse(launch.suppressions, results)) {
    std::fprintf(to_stdout ? stdout : stderr, "%s\n", line.c_str());
  }
  if (const Status written = WriteReports(options.reports, results); !written.has_value()) {
    return Refuse(written.error());
  }
  if (g_interrupted != 0) {
    std::fprintf(stderr, "plimsoll: interrupted after %zu of %zu cases\n", results.size(),
                 cases->size());
    return kExitFailed;
  }
  return ExitStatusOf(results);
}

int List(const std::vector<std::string>& paths, const std::string& filter) {
  if (!paths.empty()) {
    const Expected<std::vector<ScriptCase>> cases = LoadCases(paths, filter);
    if (!cases.has_value()) return Refuse(cases.error());
    for (const ScriptCase& script_case : *cases) std::printf("%s\n", script_case.Name().c_str());
    return kExitHolds;
  }
  std::printf("environments:\n");
  for (const Environment& environment : KnownEnvironments()) {
    const bool there = environment.library.empty() || FindLibrary(environment.library).has_value();
    std::printf("  %-18s%s%s\n", environment.name.c_str(), environment.description.c_str(),
                there ? "" : (" (skipped: " + environment.library + " is not installed)").c_str());
  }
  std::printf("engines:\n");
  for (const EngineInfo& engine : KnownEngines()) {
    std::printf("  %-18s%s\n", engine.name, engine.description);
  }
  std::printf("models:\n");
  for (const ZooModel& model : ZooModels()) {
    std::printf("  zoo:%-18.*s%.*s\n", static_cast<int>(model.name.size()), model.name.data(),
                static_cast<int>(model.description.size()), model.description.data());
  }
  std::printf("plimsoll list PATH... names the cases of scripts.\n");
  return kExitHolds;
}

}  // namespace

void AddRunCommand(CLI::App& app, int& status) {
  CLI::App* const command =
      app.add_subcommand("run", "Run the scenarios of scripts (files or folders)");
  const auto options = std::make_shared<RunOptions>();
  command->add_option("PATH", options->paths, "Scripts, or folders with scripts")->required();
  command->add_option("--filter", options->filter,
                      "Only cases whose name (scenario/engine/allocator/environment) matches "
                      "this regular expression");
  command->add_option("--iterations", options->launch.iterations,
                      "Judge at most so many iterations, whatever the scripts say");
  command->add_option("--warmup", options->launch.warmup, "Iterations before the first judged one");
  command->add_option("--level", options->launch.level,
                      "Probability of a false LEAK per case (default 0.001)");
  command->add_option("--timeout", options->launch.timeout_seconds, "Seconds a case may take");
  command->add_flag("--no-stacks", options->no_stacks,
                    "Name the calling function only: no second phase with full call stacks");
  AddNoiseOptions(*command, options->noise);
  command->add_option("--suppressions", options->suppressions,
                      "Known leaks that are not judged (YAML: name, reason, kind, stack)");
  AddReportOptions(*command, options->reports);
  command->callback([options, &status] { status = Run(*options); });
}

void AddListCommand(CLI::App& app, int& status) {
  CLI::App* const command =
      app.add_subcommand("list", "List environments, engines and models, or the cases of scripts");
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto filter = std::make_shared<std::string>();
  command->add_option("PATH", *paths, "Scripts, or folders with scripts");
  command->add_option("--filter", *filter, "Only cases whose name matches");
  command->callback([paths, filter, &status] { status = List(*paths, *filter); });
}

}  // namespace plimsoll
