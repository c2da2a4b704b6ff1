// Runs the engine's binary, as libtorch's CPU allocator is chosen once per process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "scenarios/engines/torch/run_engine.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(EngineTorchTest, ThePlannerArenaGivesTheSameLossBitForBit) {
  for (const char* optimizer : {"sgd", "momentum", "adam"}) {
    SCOPED_TRACE(optimizer);
    json config = Case({{"optimizer", optimizer}});
    const std::string expected = Loss(config);
    config["allocator"] = "planner_arena";
    config["knobs"].update({{"arena_start_step", 2}, {"arena_stable_steps", 2}});
    const Outcome outcome = RunEngine(config, 12);
    EXPECT_THAT(outcome.output, StartsWith(expected + "\n"));
    // Two steps before the recording, one that is new, two that bring nothing new, and as
    // many more as the planning takes in the background.
    EXPECT_THAT(outcome.output, ContainsRegex("planner_arena: [3-7] of 12 steps planned"));
    EXPECT_THAT(outcome.output, HasSubstr("misses 0,"));
  }
}

TEST(EngineTorchTest, TrainingChangesTheLoss) {
  EXPECT_NE(Loss(Case({}), 1), Loss(Case({}), 12));
  EXPECT_NE(Loss(Case({})), Loss(Case({{"seed", 2}})));
}

TEST(EngineTorchTest, PrefetchingDoesNotChangeTheLoss) {
  const json knobs = {{"sizes", 3}, {"order", "shuffled"}};
  json prefetched = knobs;
  prefetched.update({{"prefetch", 3}, {"prefetch_bytes", "1 MiB"}});
  EXPECT_EQ(Loss(Case(knobs)), Loss(Case(prefetched)));
}

TEST(EngineTorchTest, FreeingGradientsDoesNotChangeTheLoss) {
  EXPECT_EQ(Loss(Case({})), Loss(Case({{"gradients_to_none", true}})));
}

TEST(EngineTorchTest, ACheckpointBringsTheTrainingBack) {
  for (const char* optimizer : {"momentum", "adam"}) {
    json config = Case({{"optimizer", optimizer}}, "mlp");
    const std::string expected = Loss(config);
    config["iteration"] = {"train", "save", "load"};
    EXPECT_EQ(Loss(config), expected) << optimizer;
  }
}

TEST(EngineTorchTest, EveryModelTrainsAndEvaluates) {
  for (const char* model : {"resnet50", "resnet_small", "mlp", "transformer"}) {
    SCOPED_TRACE(model);
    json config = Case({{"sizes", 2}, {"threads", 2}}, model);
    config["iteration"] = {"train", {{"evaluate", 2}}, "release", "build"};
    Loss(config, 2);
  }
}

TEST(EngineTorchTest, FailuresHaveTheirStatus) {
  EXPECT_EQ(RunEngine(Case({{"batch", 0}}), 1).status, 2);
  json config = Case({});
  config["setup"] = json::array();
  const Outcome outcome = RunEngine(config, 1);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("nothing is built"));
  // Steps too large for float.
  const Outcome diverged = RunEngine(Case({{"learning_rate", 100.0}}, "transformer"), 20);
  EXPECT_EQ(diverged.status, 1);
  EXPECT_THAT(diverged.output, HasSubstr("the loss is not finite"));
}

}  // namespace
}  // namespace plimsoll
