#include "scenarios/engines/opencv/opencv_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "scenarios/zoo/zoo.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

EngineConfig Config(const json& knobs = json::object()) {
  setenv("PLIMSOLL_CACHE", ::testing::TempDir().c_str(), 1);
  EngineConfig config;
  config.path = "c";
  config.models = {ModelPath("zoo:tiny_cnn").value(), ModelPath("zoo:tiny_mlp").value()};
  config.knobs = knobs;
  return config;
}

class OpenCvEngineTest : public ::testing::Test {
 protected:
  void SetUp() override { engine_ = MakeOpenCvEngine(Config({{"streams", 2}})).value(); }

  void Do(const std::string& name, const json& argument = nullptr) {
    auto action = engine_->Prepare({name, argument, "w"});
    ASSERT_TRUE(action) << action.error().message;
    (*action)();
  }
  std::string Refusal(const std::string& name, const json& argument = nullptr) {
    auto action = engine_->Prepare({name, argument, "w"});
    return action ? "none" : action.error().message;
  }

  std::unique_ptr<Engine> engine_;
};

TEST_F(OpenCvEngineTest, EveryStepRuns) {
  Do("read");
  Do("compile");
  Do("infer");
  Do("infer", 3);
  Do("infer_in_thread", 2);
  Do("infer_streams");
  Do("reshape", {{"scale", 2}});
  Do("infer");
  Do("reshape", 3);
  Do("infer");
  Do("reshape", 1);
  Do("recreate_in_thread", 2);
  Do("release");
}

TEST_F(OpenCvEngineTest, InferringWhatIsNotCompiledFailsAlsoInAThread) {
  for (const char* step : {"infer", "infer_in_thread", "infer_streams"}) {
    EXPECT_THAT([&] { Do(step); },
                ThrowsMessage<std::runtime_error>(HasSubstr("nothing is compiled")))
        << step;
  }
  Do("compile");
  Do("release");
  EXPECT_THROW(Do("infer"), std::runtime_error);
}

TEST_F(OpenCvEngineTest, BadStepsAreRefused) {
  EXPECT_THAT(Refusal("compil"), HasSubstr("expected one of read, compile"));
  EXPECT_THAT(Refusal("infer", 0), HasSubstr("count: '0'"));
  EXPECT_THAT(Refusal("compile", 2), HasSubstr("takes no argument"));
  EXPECT_THAT(Refusal("reshape", {{"scale", 0}}), HasSubstr("scale: '0'"));
}

TEST(OpenCvEngineConfigTest, BadCasesAreRefused) {
  const auto refusal = [](const EngineConfig& config) {
    const auto engine = MakeOpenCvEngine(config);
    return engine ? "none" : engine.error().message;
  };
  EXPECT_THAT(refusal(Config({{"thread", 2}})), HasSubstr("thread: '2': unknown"));
  EXPECT_THAT(refusal(Config({{"target", "gpu"}})), HasSubstr("expected one of cpu, opencl"));
  EngineConfig config = Config();
  config.allocator = "planner_arena";
  EXPECT_THAT(refusal(config), HasSubstr("allocator: 'planner_arena': expected system"));
  config = Config();
  config.models.clear();
  EXPECT_THAT(refusal(config), HasSubstr("at least one .onnx file"));
}

TEST(OpenCvEngineConfigTest, WeightsThroughTheLoader) {
  EngineConfig config = Config();
  config.weights = {{"loader", "mmap"}, {"format", "onnx"}, {"files", config.models}};
  const auto engine = MakeOpenCvEngine(config);
  ASSERT_TRUE(engine) << engine.error().message;
  for (const char* step : {"compile", "infer", "release", "compile", "infer"}) {
    const auto action = (*engine)->Prepare({step, nullptr, "w"});
    ASSERT_TRUE(action);
    (*action)();
  }
  const auto findings = (*engine)->Findings();
  ASSERT_EQ(findings.size(), 2u) << "one for each model";
  EXPECT_EQ(findings[0].kind, "weights_copied");
  EXPECT_GT(findings[0].bytes, 1000);
  EXPECT_THAT(findings[0].evidence,
              HasSubstr("copied: OpenCV's importer keeps layers of its own; loader mmap: as asked"));
  config.weights["files"] = {"absent", "absent"};
  EXPECT_THAT(MakeOpenCvEngine(config).error().message, HasSubstr("absent: open: No such file"));
  config.weights["loader"] = "fast";
  EXPECT_THAT(MakeOpenCvEngine(config).error().message, HasSubstr("weights: loader: 'fast'"));
}

}  // namespace
}  // namespace plimsoll
