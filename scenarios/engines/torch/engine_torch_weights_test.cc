// Runs the engine's binary on weights of a file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenarios/engines/torch/run_engine.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// The model's weights, as set-up makes them, in a file.
std::string Exported(const json& config, const std::string& name) {
  json exporter = config;
  const std::string path = ::testing::TempDir() + "/" + name;
  exporter["iteration"] = {{{"export", path}}};
  EXPECT_EQ(RunEngine(exporter, 1).status, 0);
  return path;
}

TEST(EngineTorchWeightsTest, WeightsFromAFileGiveTheSameLoss) {
  const std::string findings = ::testing::TempDir() + "/findings.json";
  json config = Case({{"seed", 3}});
  config["iteration"] = {"evaluate"};
  const std::string expected = Loss(config, 1);
  const std::map<std::string, std::vector<const char*>> loaders = {
      {"w.safetensors", {"mmap", "private", "read"}}, {"w.blob.json", {"auto", "direct"}}};
  for (const auto& [name, names] : loaders) {
    const std::string file = Exported(config, name);
    for (const char* loader : names) {
      SCOPED_TRACE(name + " " + loader);
      json loaded = config;
      loaded["iteration"] = {"build", "evaluate", "evaluate", "release", "build", "evaluate"};
      loaded["setup"] = json::array();
      loaded["weights"] = {{"loader", loader}, {"files", {file}}};
      loaded["findings"] = findings;
      // Every build starts the same data again, so one evaluation follows the last.
      EXPECT_EQ(Loss(loaded, 1), expected);
      const json found = json::parse(std::ifstream(findings));
      ASSERT_EQ(found.size(), 1u) << found;
      EXPECT_EQ(found[0]["kind"], "weights_in_place");
      EXPECT_GT(found[0]["bytes"], 10'000);
    }
  }
  json other = config;
  other["weights"] = {{"loader", "mmap"},
                      {"files", {Exported(Case({{"seed", 4}}), "o.safetensors")}}};
  EXPECT_NE(Loss(other, 1), expected) << "the weights are the file's, not the seed's";
}

TEST(EngineTorchWeightsTest, TrainingWantsWeightsOfItsOwn) {
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

TEST(EngineTorchWeightsTest, WeightsThatDoNotFitAreAnError) {
  json config = Case({{"width", 16}});
  config["weights"] = {{"files", {Exported(Case({}), "narrow.safetensors")}},
                       {"loader", "private"}};
  const Outcome outcome = RunEngine(config, 1);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output,
              HasSubstr("narrow.safetensors: tensor 'stem.0.weight': shape and type"));
}

}  // namespace
}  // namespace plimsoll
