#include "scenarios/engines/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

EngineConfig Config(const json& weights) {
  EngineConfig config;
  config.path = "c.json";
  config.models = {"m"};
  config.weights = weights;
  return config;
}

std::string Refusal(const json& weights) {
  const auto choice = ReadWeightsChoice(Config(weights));
  return choice ? "none" : choice.error().message;
}

TEST(WeightsChoiceTest, NoneIsNone) {
  EXPECT_FALSE(ReadWeightsChoice(Config(nullptr))->has_value());
}

TEST(WeightsChoiceTest, ReadsWhatTheScriptSays) {
  const WeightsChoice choice = **ReadWeightsChoice(Config(
      {{"loader", "direct"}, {"format", "blob"}, {"prefetch", "willneed"}, {"files", {"f"}}}));
  EXPECT_EQ(choice.options.mode, weights::Mode::kDirect);
  EXPECT_EQ(choice.options.format, weights::Format::kBlob);
  EXPECT_EQ(choice.options.prefetch, weights::Prefetch::kWillNeed);
  EXPECT_THAT(choice.files, ElementsAre("f"));
  EXPECT_EQ((*ReadWeightsChoice(Config({{"files", "f"}})))->options.mode, weights::Mode::kAuto);
}

TEST(WeightsChoiceTest, ErrorsNameFieldValueAndWhatIsAllowed) {
  EXPECT_EQ(Refusal({{"loader", "mmaped"}, {"files", "f"}}),
            "c.json: weights: loader: 'mmaped': expected one of auto, mmap, private, read, direct");
  EXPECT_EQ(Refusal({{"format", "gguf"}, {"files", "f"}}),
            "c.json: weights: format: 'gguf': expected one of onnx, safetensors, blob");
  EXPECT_THAT(Refusal({{"prefetch", 1}, {"files", "f"}}), HasSubstr("prefetch: '1': expected one"));
  EXPECT_THAT(Refusal({{"loadr", "mmap"}, {"files", "f"}}), HasSubstr("loadr: 'mmap': unknown"));
  EXPECT_EQ(Refusal(json::object()), "c.json: weights: files: '0': expected one for each model, 1");
  EXPECT_THAT(Refusal("mmap"), HasSubstr("weights: '\"mmap\"': expected an object"));
}

TEST(WeightsChoiceTest, FindingsSayWhatWasCopiedAndWhy) {
  weights::LoadReport report;
  report.reason = "mmap: as asked for";
  report.notes = {"no huge pages"};
  const auto findings = FindingsOf(report, {2, 4096, 1, 8}, "it is odd");
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].kind, "weights_in_place");
  EXPECT_EQ(findings[0].bytes, 4096);
  EXPECT_EQ(
      findings[0].evidence,
      "2 tensors, 4.00 KiB used where the loader has them; loader mmap: as asked for; no huge "
      "pages");
  EXPECT_EQ(findings[1].kind, "weights_copied");
  EXPECT_THAT(findings[1].evidence, HasSubstr("1 tensor, 8 B copied: it is odd; loader mmap"));
  EXPECT_TRUE(FindingsOf(report, {}, "").empty());
}

}  // namespace
}  // namespace plimsoll
