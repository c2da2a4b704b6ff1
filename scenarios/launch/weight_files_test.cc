#include "scenarios/launch/weight_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "allocators/mmap_loader/loader.h"
#include "scenarios/launch/installation.h"
#include "scenarios/zoo/zoo.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class WeightFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cache_ = ::testing::TempDir() + "/weight_files_test";
    std::filesystem::remove_all(cache_);
    std::filesystem::create_directories(cache_);
    setenv("PLIMSOLL_CACHE", cache_.c_str(), 1);
  }

  std::string Resolve(const json& config, const std::string& engine = "/absent/engine") {
    const auto resolved = ResolveWeights(config.dump(), engine, "s.yaml:1");
    if (!resolved) return resolved.error().message;
    return json::parse(*resolved)["weights"]["files"].at(0);
  }

  std::string cache_;
};

TEST_F(WeightFilesTest, WithoutWeightsNothingChanges) {
  const std::string config = R"({"engine":"opencv","model":["m"]})";
  EXPECT_EQ(*ResolveWeights(config, "", ""), config);
}

TEST_F(WeightFilesTest, AnOnnxModelIsItsOwnWeightFile) {
  const json config = {
      {"engine", "opencv"}, {"model", {"m.onnx"}}, {"weights", {{"loader", "mmap"}}}};
  EXPECT_EQ(Resolve(config), "m.onnx");
  EXPECT_EQ(json::parse(*ResolveWeights(config.dump(), "", ""))["weights"]["format"], "onnx");
}

TEST_F(WeightFilesTest, ModelsAreConvertedOnceAndAgainWhenTheyChange) {
  const std::string model = cache_ + "/m.onnx";
  std::filesystem::copy_file(ModelPath("zoo:tiny_cnn").value(), model);
  json config = {{"engine", "opencv"}, {"model", {model}}};
  for (const char* format : {"safetensors", "blob"}) {
    config["weights"] = {{"format", format}};
    const std::string file = Resolve(config);
    const auto open = weights::Loader::OfProcess().Open(file);
    ASSERT_TRUE(open) << open.error().message;
    EXPECT_EQ(weights::FormatName(open->directory().format()), std::string(format));
    EXPECT_EQ(open->directory().size(), 12u);
    const auto written = std::filesystem::last_write_time(file);
    EXPECT_EQ(Resolve(config), file);
    EXPECT_EQ(std::filesystem::last_write_time(file), written) << "it is used again";
    std::filesystem::last_write_time(
        model, std::filesystem::last_write_time(model) + std::chrono::seconds(1));
    EXPECT_NE(Resolve(config), file);
  }
  config["model"] = {cache_ + "/absent.onnx"};
  EXPECT_THAT(Resolve(config), HasSubstr("s.yaml:1: weights: "));
  std::ofstream(cache_ + "/absent.onnx") << "not a model";
  EXPECT_THAT(Resolve(config), HasSubstr("absent.onnx"));
}

TEST_F(WeightFilesTest, TorchWritesItsOwn) {
  const auto engine = EngineBinary("torch");
  ASSERT_TRUE(engine) << engine.error().message;
  json config = {{"engine", "torch"},
                 {"model", "mlp"},
                 {"knobs", {{"width", 8}, {"batch", 2}}},
                 {"weights", {{"format", "blob"}}}};
  const std::string file = Resolve(config, *engine);
  const auto open = weights::Loader::OfProcess().Open(file);
  ASSERT_TRUE(open) << open.error().message;
  EXPECT_EQ(open->directory().at(*open->directory().Find("layers.0.weight")).shape[0], 8u);
  config["knobs"]["batch"] = 4;
  EXPECT_EQ(Resolve(config, *engine), file) << "the batch does not shape the weights";
  config["knobs"]["width"] = 9;
  EXPECT_NE(Resolve(config, *engine), file);
  config["knobs"]["width"] = 0;
  EXPECT_THAT(Resolve(config, *engine), HasSubstr("exit status 2: engine_torch"));
  config["knobs"]["width"] = 10;
  EXPECT_THAT(Resolve(config), HasSubstr("/absent/engine"));
}

}  // namespace
}  // namespace plimsoll
