// Runs the engine's binary, as libtorch's CPU allocator is chosen once per process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int status;
  std::string output;  // both streams
};

Outcome RunEngine(const json& config, int iterations) {
  const std::string path = ::testing::TempDir() + "/engine_torch_test.json";
  std::ofstream(path) << config;
  const std::string command = "scenarios/engines/torch/engine_torch " + path + " --iterations " +
                              std::to_string(iterations) + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  Outcome outcome{-1, ""};
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

json Case(const json& knobs, const std::string& model = "resnet_small") {
  json config = {{"engine", "torch"},
                 {"model", model},
                 {"setup", {"build"}},
                 {"iteration", {"train"}},
                 {"knobs", {{"width", 8}, {"batch", 2}, {"size", 32}, {"print_loss", true}}}};
  if (!knobs.is_null()) config["knobs"].update(knobs);
  return config;
}

// "loss …": the first line of the output.
std::string Loss(const json& config, int iterations = 12) {
  const Outcome outcome = RunEngine(config, iterations);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, StartsWith("loss "));
  return outcome.output.substr(0, outcome.output.find('\n'));
}

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

// The model's weights, as set-up makes them, in a file.
std::string Exported(const json& config, const std::string& name) {
  json exporter = config;
  const std::string path = ::testing::TempDir() + "/" + name;
  exporter["iteration"] = {{{"export", path}}};
  EXPECT_EQ(RunEngine(exporter, 1).status, 0);
  return path;
}

TEST(EngineTorchTest, WeightsFromAFileGiveTheSameLoss) {
  const std::string findings = ::testing::TempDir() + "/findings.json";
  json config = Case({{"seed", 3}});
  config["iteration"] = {"evaluate"};
  const std::string expected = Loss(config, 2);
  for (const char* name : {"w.safetensors", "w.blob.json"}) {
    const std::string file = Exported(config, name);
    for (const char* loader : {"auto", "mmap", "private", "read", "direct"}) {
      SCOPED_TRACE(std::string(name) + " " + loader);
      json loaded = config;
      loaded["iteration"] = {"build", "evaluate", "evaluate", "release", "build", "evaluate"};
      loaded["setup"] = json::array();
      loaded["weights"] = {{"loader", loader}, {"files", {file}}};
      loaded["findings"] = findings;
      // Every build starts the same data again, so one evaluation follows the last.
      EXPECT_EQ(Loss(loaded, 1), Loss(config, 1));
      const json found = json::parse(std::ifstream(findings));
      ASSERT_EQ(found.size(), 1u) << found;
      EXPECT_EQ(found[0]["kind"], "weights_in_place");
      EXPECT_GT(found[0]["bytes"], 10'000);
    }
  }
  json other = config;
  other["weights"] = {{"loader", "mmap"},
                      {"files", {Exported(Case({{"seed", 4}}), "o.safetensors")}}};
  EXPECT_NE(Loss(other, 2), expected) << "the weights are the file's, not the seed's";
}

TEST(EngineTorchTest, TrainingWantsWeightsOfItsOwn) {
  json config = Case({});
  const std::string expected = Loss(config, 4);
  config["weights"] = {{"loader", "private"}, {"files", {Exported(config, "t.safetensors")}}};
  EXPECT_EQ(Loss(config, 4), expected);
  EXPECT_EQ(Loss(config, 4), expected) << "the file was not written";
  config["weights"]["loader"] = "mmap";
  const Outcome outcome = RunEngine(config, 1);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("weights.loader: 'mmap': expected private: this step"));
}

TEST(EngineTorchTest, WeightsThatDoNotFitAreAnError) {
  json config = Case({{"width", 16}});
  config["weights"] = {{"files", {Exported(Case({}), "narrow.safetensors")}},
                       {"loader", "private"}};
  const Outcome outcome = RunEngine(config, 1);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output,
              HasSubstr("narrow.safetensors: tensor 'stem.0.weight': shape and type"));
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
