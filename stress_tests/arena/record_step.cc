// Records a training step of libtorch through the planner arena's own profile, and writes
// what the arena knows of itself once a plan has served a step:
//
//   bazel run //stress_tests/arena:record_step -- --model resnet50 --batch 32 --out FILE.csv
//       --svg FILE.svg --snapshot FILE.json
//
// Exit status: 0 written; 1 the arena made no plan; 2 the request is wrong.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "allocators/planner_arena/arena.h"
#include "base/caller_folder.h"
#include "base/file.h"
#include "stress_tests/arena/torch_training.h"

namespace plimsoll {
namespace {

constexpr int kMostSteps = 30;

struct Request {
  std::string model = "resnet50";
  int64_t batch = 8;
  std::string out;       // profile
  std::string svg;       // picture; empty: none
  std::string snapshot;  // empty: none
};

Status Write(const Request& request, const PlannerArena& arena) {
  const std::filesystem::path folder = CallerFolder();
  if (Status written = WriteFile(folder / request.out, arena.ProfileCsv()); !written) {
    return written;
  }
  if (!request.svg.empty()) {
    if (Status written = WriteFile(folder / request.svg, arena.PictureSvg()); !written) {
      return written;
    }
  }
  if (request.snapshot.empty()) return {};
  return WriteFile(folder / request.snapshot, arena.SnapshotJson());
}

int Record(const Request& request) {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 2;
  configuration.stable_statistic_step = 2;
  PlannerArena& arena = *PlannerArena::Create(configuration).value().release();
  PutTensorsInto(arena);
  const auto training = TorchTraining::Create(request.model, request.batch);
  if (!training) {
    std::fprintf(stderr, "record_step: %s\n", training.error().message.c_str());
    return 2;
  }
  for (int i = 0; i < kMostSteps && arena.Stats().planned_steps == 0; ++i) {
    {
      const StepScope step(arena);
      (*training)->Step();
    }
    arena.WaitForPlan();
  }
  if (arena.Stats().planned_steps == 0) {
    std::fprintf(stderr, "record_step: no plan after %d steps\n", kMostSteps);
    return 1;
  }
  if (const Status written = Write(request, arena); !written) {
    std::fprintf(stderr, "record_step: %s\n", written.error().message.c_str());
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  CLI::App app("Records a training step as CSV of lifetimes.", "record_step");
  plimsoll::Request request;
  app.add_option("--model", request.model, "resnet50 or transformer")->capture_default_str();
  app.add_option("--batch", request.batch)->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--out", request.out, "write the lifetimes to this file")->required();
  app.add_option("--svg", request.svg, "write a picture of the arena over the step");
  app.add_option("--snapshot", request.snapshot, "write the arena's state, as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return plimsoll::Record(request);
}
