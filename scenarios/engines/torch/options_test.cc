#include "scenarios/engines/torch/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

EngineConfig Config(const std::string& model, const json& knobs = json::object()) {
  EngineConfig config;
  config.path = "c";
  config.models = {model};
  config.knobs = knobs;
  return config;
}

TEST(OptionsTest, ResNet50IsFullSizeUnlessToldOtherwise) {
  const auto full = ParseTorchOptions(Config("resnet50"));
  ASSERT_TRUE(full);
  EXPECT_THAT(full->stage_blocks, ElementsAre(3, 4, 6, 3));
  EXPECT_EQ(full->width, 64);
  EXPECT_EQ(full->classes, 1000);
  const auto narrow = ParseTorchOptions(Config("resnet50", {{"width", 8}, {"optimizer", "adam"}}));
  ASSERT_TRUE(narrow);
  EXPECT_EQ(narrow->width, 8);
  EXPECT_EQ(narrow->optimizer, OptimizerKind::kAdam);
}

TEST(OptionsTest, BadKnobsAreRefused) {
  const auto refusal = [](const EngineConfig& config) {
    const auto options = ParseTorchOptions(config);
    return options ? "none" : options.error().message;
  };
  EXPECT_THAT(refusal(Config("vgg")), HasSubstr("expected one of resnet50"));
  EXPECT_THAT(refusal(Config("mlp", {{"batches", 1}})), HasSubstr("batches: '1': unknown"));
  EXPECT_THAT(refusal(Config("mlp", {{"batch", 0}})), HasSubstr("batch: '0'"));
  EXPECT_THAT(refusal(Config("mlp", {{"order", "x"}})), HasSubstr("cycle, random, shuffled"));
  EXPECT_THAT(refusal(Config("resnet_small", {{"stage_blocks", {1, 2}}})),
              HasSubstr("one a stage"));
  EXPECT_THAT(refusal(Config("transformer", {{"width", 10}, {"heads", 4}})),
              HasSubstr("multiple of heads (4)"));
}

}  // namespace
}  // namespace plimsoll
