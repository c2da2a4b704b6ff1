#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "scenarios/script/script.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

Expected<std::vector<ScriptCase>> Load(const std::string& engine, const std::string& weights) {
  const std::string path = ::testing::TempDir() + "/weights_test.yaml";
  const bool opencv = engine == "opencv";
  std::ofstream(path) << "scenario: s\nengine: " << engine << "\n"
                      << (engine == "reference" ? ""
                          : opencv              ? "model: zoo:tiny_cnn\n"
                                                : "model: mlp\n")
                      << "iteration: [" << (opencv ? "compile" : "build") << "]\n"
                      << "weights: " << weights << "\n";
  return LoadScript(path);
}

std::string Refusal(const std::string& engine, const std::string& weights) {
  const auto cases = Load(engine, weights);
  return cases ? "none" : cases.error().message;
}

TEST(ScriptWeightsTest, OneChoiceIsOneCase) {
  const auto cases = Load("opencv", "{loader: mmap, format: onnx}");
  ASSERT_TRUE(cases) << cases.error().message;
  ASSERT_EQ(cases->size(), 1u);
  EXPECT_EQ(cases->front().scenario, "s");
  EXPECT_EQ(json::parse(cases->front().config_json)["weights"],
            json({{"loader", "mmap"}, {"format", "onnx"}}));
}

TEST(ScriptWeightsTest, AListMultipliesTheCases) {
  const auto cases = Load("torch", "[{loader: mmap}, {loader: read, format: blob}]");
  ASSERT_TRUE(cases) << cases.error().message;
  ASSERT_EQ(cases->size(), 2u);
  EXPECT_EQ(cases->at(0).scenario, "s[mmap]");
  EXPECT_EQ(cases->at(1).scenario, "s[read,blob]");
  EXPECT_EQ(json::parse(cases->at(1).config_json)["weights"]["format"], "blob");
}

TEST(ScriptWeightsTest, ErrorsNameLineFieldValueAndWhatIsAllowed) {
  EXPECT_THAT(Refusal("opencv", "{loader: mmaped}"),
              EndsWith("weights_test.yaml:5: weights.loader: 'mmaped': expected one of auto, mmap, "
                       "private, read, direct"));
  EXPECT_THAT(Refusal("opencv", "[{loader: mmap}, {format: gguf}]"),
              HasSubstr("weights[1].format: 'gguf': expected one of onnx, safetensors, blob"));
  EXPECT_THAT(Refusal("torch", "{format: onnx}"),
              HasSubstr("weights.format: 'onnx': expected one of safetensors, blob"));
  EXPECT_THAT(Refusal("opencv", "{prefetch: all}"), HasSubstr("weights.prefetch: 'all': expected"));
  EXPECT_THAT(Refusal("opencv", "{loadr: mmap}"), HasSubstr("loadr"));
  EXPECT_THAT(Refusal("opencv", "mmap"), HasSubstr("weights: 'mmap': expected how weights"));
  EXPECT_THAT(Refusal("reference", "{loader: mmap}"), HasSubstr("the engine makes its own"));
  EXPECT_THAT(Refusal("opencv", "[]"), HasSubstr("weights: '[]'"));
  EXPECT_THAT(Refusal("opencv", "[{loader: mmap}, {loader: mmap}]"), HasSubstr("same case twice"));
}

}  // namespace
}  // namespace plimsoll
