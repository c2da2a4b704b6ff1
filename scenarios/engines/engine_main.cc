#include "scenarios/engines/engine_main.h"

#include <getopt.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "harness/client.h"

namespace plimsoll {
namespace {

constexpr int kFailed = 1;
constexpr int kBadRequest = 2;

struct Action {
  std::string where;
  std::function<void()> run;
};

// Declared in the order of use; destroyed before the engine they act on.
struct Plan {
  std::vector<Action> setup, iteration, teardown;
};

Expected<std::vector<Action>> PrepareAll(Engine& engine, const std::vector<Step>& steps) {
  std::vector<Action> actions;
  for (const Step& step : steps) {
    auto action = engine.Prepare(step);
    if (!action) return tl::unexpected(action.error());
    actions.push_back({step.where, std::move(*action)});
  }
  return actions;
}

Expected<Plan> MakePlan(Engine& engine, const EngineConfig& config) {
  Plan plan;
  for (auto& [steps, actions] :
       {std::pair{&config.setup, &plan.setup}, std::pair{&config.iteration, &plan.iteration},
        std::pair{&config.teardown, &plan.teardown}}) {
    auto prepared = PrepareAll(engine, *steps);
    if (!prepared) return tl::unexpected(prepared.error());
    *actions = std::move(*prepared);
  }
  return plan;
}

// What is under way, for the message of a failure.
struct Progress {
  const std::string* where;
  uint64_t iteration = 0;
};

void RunPlan(Engine& engine, const Plan& plan, uint64_t iterations, Progress& progress) {
  const auto run_all = [&progress](const std::vector<Action>& actions) {
    for (const Action& action : actions) {
      progress.where = &action.where;
      action.run();
    }
  };
  run_all(plan.setup);
  do {
    ++progress.iteration;
    engine.BeginIteration();
    run_all(plan.iteration);
    engine.EndIteration();
  } while (plimsoll_iteration_end() != 0 ||
           (!plimsoll_present() && progress.iteration < iterations));
  progress.iteration = 0;
  run_all(plan.teardown);
}

// A JSON array of {kind, bytes, evidence}.
Status WriteFindings(const std::string& path, const std::vector<EngineFinding>& findings) {
  if (path.empty()) return {};
  nlohmann::json list = nlohmann::json::array();
  for (const EngineFinding& finding : findings) {
    list.push_back(
        {{"kind", finding.kind}, {"bytes", finding.bytes}, {"evidence", finding.evidence}});
  }
  return WriteFile(path, list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

struct CommandLine {
  std::string path;
  uint64_t iterations = 1;
};

Expected<CommandLine> ParseCommandLine(int argc, char** argv, const std::string& program) {
  const std::string usage = "usage: " + program + " CONFIG.json [--iterations N]";
  constexpr option kOptions[] = {{"iterations", required_argument, nullptr, 'i'}, {}};
  CommandLine line;
  opterr = 0;
  for (int found; (found = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (found != 'i') return Fail(usage);
    char* end = nullptr;
    line.iterations = std::strtoull(optarg, &end, 10);
    if (line.iterations == 0 || *end != '\0' || *optarg == '-') {
      return BadValue(program, "--iterations", optarg, "expected a number from 1");
    }
  }
  if (argc - optind != 1) return Fail(usage);
  line.path = argv[optind];
  return line;
}

}  // namespace

int EngineMain(int argc, char** argv, std::string_view engine_name, const EngineFactory& factory) {
  const std::string program = "engine_" + std::string(engine_name);
  const Expected<CommandLine> line = ParseCommandLine(argc, argv, program);
  if (!line) {
    std::fprintf(stderr, "%s\n", line.error().message.c_str());
    return kBadRequest;
  }
  const std::string& path = line->path;
  const auto refuse = [&program](const Error& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.message.c_str());
    return kBadRequest;
  };
  Plan plan;
  Progress progress{.where = &path};
  try {
    const Expected<EngineConfig> config = LoadEngineConfig(path);
    if (!config) return refuse(config.error());
    if (config->engine != engine_name) {
      return refuse(
          BadValue(path, "engine", config->engine, "expected " + std::string(engine_name)).value());
    }
    const auto engine = factory(*config);
    if (!engine) return refuse(engine.error());
    auto prepared = MakePlan(**engine, *config);
    if (!prepared) return refuse(prepared.error());
    plan = std::move(*prepared);
    RunPlan(**engine, plan, line->iterations, progress);
    (*engine)->Finish();
    const Status written = WriteFindings(config->findings, (*engine)->Findings());
    return written ? 0 : refuse(written.error());
  } catch (const std::exception& error) {
    const std::string ordinal =
        progress.iteration == 0 ? "" : " (iteration " + std::to_string(progress.iteration) + ")";
    std::fprintf(stderr, "%s: %s%s: %s\n", program.c_str(), progress.where->c_str(),
                 ordinal.c_str(), error.what());
    return kFailed;
  }
}

}  // namespace plimsoll
