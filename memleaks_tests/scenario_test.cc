// Runs the scripts named on the command line, each case in its own process, and expects
// every verdict to be CLEAN within its lines. `--expect=LEAK` turns the test into a
// positive control: every case must be that.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/report/table.h"
#include "scenarios/launch/launch.h"
#include "scenarios/script/script.h"

namespace plimsoll {
namespace {

class ScenarioTest : public testing::Test {
 public:
  ScenarioTest(ScriptCase script_case, std::string expected)
      : case_(std::move(script_case)), expected_(std::move(expected)) {}

  void TestBody() override {
    const Expected<ScratchFolder> folder = ScratchFolder::Make();
    ASSERT_TRUE(folder.has_value()) << folder.error().message;
    CaseObserver observer;
    const CaseResult result = RunScriptCase(case_, LaunchOptions(), *folder, observer);
    if (result.skipped) GTEST_SKIP() << result.reason;
    EXPECT_EQ(VerdictName(result.verdict), expected_) << RenderDetails(result);
    RecordProperty("verdict", VerdictName(result.verdict));
    RecordProperty("iterations", std::to_string(result.iterations));
  }

 private:
  const ScriptCase case_;
  const std::string expected_;
};

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string expected = "CLEAN";
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--expect=", 0) == 0) {
      expected = argument.substr(9);
    } else {
      paths.push_back(argument);
    }
  }
  const auto scripts = plimsoll::FindScripts(paths);
  if (!scripts.has_value()) {
    std::fprintf(stderr, "%s\n", scripts.error().message.c_str());
    return 2;
  }
  for (const std::string& script : *scripts) {
    const auto cases = plimsoll::LoadScript(script);
    if (!cases.has_value()) {
      std::fprintf(stderr, "%s\n", cases.error().message.c_str());
      return 2;
    }
    for (const plimsoll::ScriptCase& script_case : *cases) {
      testing::RegisterTest("Scenario", script_case.Name().c_str(), nullptr, nullptr,
                            script.c_str(), 1, [script_case, expected]() -> testing::Test* {
                              return new plimsoll::ScenarioTest(script_case, expected);
                            });
    }
  }
  return RUN_ALL_TESTS();
}
