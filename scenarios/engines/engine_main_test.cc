#include "scenarios/engines/engine_main.h"

#include <getopt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Writes down what is done; the step "throw" fails, "bad" is refused.
class Recorder : public Engine {
 public:
  explicit Recorder(std::vector<std::string>* log) : log_(log) {}

  Expected<std::function<void()>> Prepare(const Step& step) override {
    if (step.name == "bad") return Fail(step.where + ": bad step");
    return std::function<void()>([this, name = step.name] {
      if (name == "throw") throw std::runtime_error("it broke");
      log_->push_back(name);
    });
  }
  void BeginIteration() override { log_->push_back("{"); }
  void EndIteration() override { log_->push_back("}"); }
  void Finish() override { log_->push_back("finish"); }
  std::vector<EngineFinding> Findings() const override { return {{"found", 12, "it is so"}}; }

 private:
  std::vector<std::string>* log_;
};

class EngineMainTest : public ::testing::Test {
 protected:
  int Run(const std::string& config, std::vector<std::string> more = {}) {
    const std::string path = ::testing::TempDir() + "/engine_main_test.json";
    std::ofstream(path) << config;
    std::vector<std::string> words = {"engine_fake", path};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    optind = 1;
    ::testing::internal::CaptureStderr();
    const int status = EngineMain(static_cast<int>(words.size()), argv.data(), "fake",
                                  [this](const EngineConfig&) -> Expected<std::unique_ptr<Engine>> {
                                    return std::make_unique<Recorder>(&log_);
                                  });
    error_ = ::testing::internal::GetCapturedStderr();
    return status;
  }

  std::vector<std::string> log_;
  std::string error_;
};

TEST_F(EngineMainTest, RunsTheStepsInOrder) {
  EXPECT_EQ(Run(R"({"engine": "fake", "setup": ["s"], "iteration": ["a", "b"],
                    "teardown": ["t"]})",
                {"--iterations", "2"}),
            0);
  EXPECT_THAT(log_, ElementsAre("s", "{", "a", "b", "}", "{", "a", "b", "}", "t", "finish"));
  EXPECT_EQ(error_, "");
}

TEST_F(EngineMainTest, OneIterationUnlessTold) {
  EXPECT_EQ(Run(R"({"engine": "fake", "iteration": ["a"]})"), 0);
  EXPECT_THAT(log_, ElementsAre("{", "a", "}", "finish"));
}

TEST_F(EngineMainTest, ABadCaseEndsBeforeAnythingRuns) {
  EXPECT_EQ(Run(R"({"engine": "fake", "setup": ["s"], "iteration": ["a", "bad"]})"), 2);
  EXPECT_TRUE(log_.empty());
  EXPECT_THAT(error_, HasSubstr("iteration[1].bad: bad step"));
  EXPECT_EQ(std::count(error_.begin(), error_.end(), '\n'), 1);

  EXPECT_EQ(Run(R"({"engine": "other", "iteration": ["a"]})"), 2);
  EXPECT_THAT(error_, HasSubstr("engine: 'other': expected fake"));
}

TEST_F(EngineMainTest, ABadCommandLineIsRefused) {
  EXPECT_EQ(Run("{}", {"--iterations", "0"}), 2);
  EXPECT_EQ(Run("{}", {"--iterations", "-3"}), 2);
  EXPECT_EQ(Run("{}", {"--iterations", "3x"}), 2);
  EXPECT_EQ(Run("{}", {"--nonsense"}), 2);
  EXPECT_EQ(Run("{}", {"second.json"}), 2);
  EXPECT_THAT(error_, HasSubstr("usage: engine_fake CONFIG.json"));
}

TEST_F(EngineMainTest, AFailureNamesStepAndIteration) {
  EXPECT_EQ(Run(R"({"engine": "fake", "iteration": ["a", "throw"]})"), 1);
  EXPECT_THAT(error_, HasSubstr("iteration[1].throw (iteration 1): it broke"));
}

TEST_F(EngineMainTest, FindingsAreWrittenWhereTheCaseSays) {
  const std::string path = ::testing::TempDir() + "/findings.json";
  EXPECT_EQ(Run(R"({"engine": "fake", "iteration": ["a"], "findings": ")" + path + "\"}"), 0);
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}),
            R"([{"bytes":12.0,"evidence":"it is so","kind":"found"}])");
  EXPECT_EQ(Run(R"({"engine": "fake", "iteration": ["a"], "findings": "/absent/x"})"), 2);
  EXPECT_THAT(error_, HasSubstr("/absent/x"));
}

}  // namespace
}  // namespace plimsoll
