// Records a training step of libtorch through the planner arena's own profile:
//
//   bazel run //stress_tests/arena:record_step -- --model resnet50 --batch 32 --out FILE.csv
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

int Record(const std::string& model, int64_t batch, const std::string& out) {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 2;
  configuration.stable_statistic_step = 2;
  PlannerArena& arena = *PlannerArena::Create(configuration).value().release();
  PutTensorsInto(arena);
  const auto training = TorchTraining::Create(model, batch);
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
  const std::filesystem::path folder = CallerFolder();
  if (const Status written = WriteFile(folder / out, arena.ProfileCsv()); !written) {
    std::fprintf(stderr, "record_step: %s\n", written.error().message.c_str());
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  CLI::App app("Records a training step as CSV of lifetimes.", "record_step");
  std::string model = "resnet50";
  std::string out;
  int64_t batch = 8;
  app.add_option("--model", model, "resnet50 or transformer")->capture_default_str();
  app.add_option("--batch", batch)->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--out", out, "file to write")->required();
  CLI11_PARSE(app, argc, argv);
  return plimsoll::Record(model, batch, out);
}
