// A libtorch training step on the planner arena against the same on malloc: the loss is
// equal bit for bit at one thread, and the page faults per step are below a tenth.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <map>
#include <string>

#include "harness/runner/child_process.h"
#include "scenarios/launch/launch.h"
#include "scenarios/script/script.h"

namespace plimsoll {
namespace {

// By allocator: "system", "planner_arena".
std::map<std::string, ScriptCase> TrainingCases() {
  std::map<std::string, ScriptCase> cases;
  const auto loaded = LoadScript("scenarios/scripts/training/arena_against_malloc.yaml");
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
  if (!loaded.has_value()) return cases;
  for (const ScriptCase& script_case : *loaded) cases[script_case.allocator] = script_case;
  return cases;
}

std::string OutputOf(const ScriptCase& script_case, const ScratchFolder& folder) {
  const Expected<CaseSpec> spec = PrepareCase(script_case, LaunchOptions(), folder);
  EXPECT_TRUE(spec.has_value()) << spec.error().message;
  ProcessOptions options;
  options.command = spec->command;
  options.command.insert(options.command.end(), {"--iterations", "24"});
  Expected<ChildProcess> child = ChildProcess::Start(options);
  EXPECT_TRUE(child.has_value()) << child.error().message;
  std::string output;
  char buffer[4096];
  while (true) {
    pollfd poller = {child->output_fd(), POLLIN, 0};
    poll(&poller, 1, 60000);
    const ssize_t got = read(child->output_fd(), buffer, sizeof(buffer));
    if (got <= 0) return output;
    output.append(buffer, static_cast<size_t>(got));
  }
}

TEST(PlannerArenaTraining, LossIsEqualBitForBit) {
  const Expected<ScratchFolder> folder = ScratchFolder::Make();
  ASSERT_TRUE(folder.has_value());
  auto cases = TrainingCases();
  ASSERT_EQ(cases.size(), 2u);
  const std::string on_malloc = OutputOf(cases["system"], *folder);
  const std::string on_arena = OutputOf(cases["planner_arena"], *folder);
  ASSERT_EQ(on_malloc.rfind("loss ", 0), 0u) << on_malloc;
  EXPECT_EQ(on_arena.substr(0, on_arena.find('\n')), on_malloc.substr(0, on_malloc.find('\n')));
  // And it was the arena that served: most steps by a plan, none of whose requests missed.
  // (Planning is done in the background: how soon its plan serves depends on the machine.)
  EXPECT_THAT(on_arena, testing::ContainsRegex("1[0-9] of 24 steps planned"));
  EXPECT_THAT(on_arena, testing::HasSubstr("misses 0,"));
}

TEST(PlannerArenaTraining, FaultsPerStepAreBelowATenth) {
  const Expected<ScratchFolder> folder = ScratchFolder::Make();
  ASSERT_TRUE(folder.has_value());
  CaseObserver observer;
  std::map<std::string, double> faults;
  for (const auto& [allocator, script_case] : TrainingCases()) {
    const CaseResult result = RunScriptCase(script_case, LaunchOptions(), *folder, observer);
    EXPECT_EQ(result.verdict, Verdict::kClean) << result.reason;
    ASSERT_TRUE(result.peak.page_faults_per_iteration.has_value());
    faults[allocator] = *result.peak.page_faults_per_iteration;
  }
  EXPECT_GT(faults["system"], 0);
  EXPECT_LT(faults["planner_arena"], faults["system"] / 10);
}

}  // namespace
}  // namespace plimsoll
