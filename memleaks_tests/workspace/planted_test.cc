// Every mistake with workspaces in patterns.cc is caught by its kind, its site and its
// rate, and its innocent twin is CLEAN.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "harness/leak_test.h"
#include "memleaks_tests/workspace/patterns.h"

namespace plimsoll {
namespace {

class PatternTest : public testing::Test, public internal::LeakTestBody {
 public:
  explicit PatternTest(const Pattern& pattern) : run_(pattern.make(/*seed=*/1)) {}
  void TestBody() override { internal::RunIterations(*this); }
  void Iteration() override { run_->Iterate(); }

 private:
  const std::unique_ptr<PatternRun> run_;
};

LeakTestOptions OptionsFor(const Pattern& pattern) {
  LeakTestOptions options;
  if (pattern.innocent) return options;
  options.ExpectLeak(pattern.kind, std::string(pattern.site));
  options.ExpectPeriod(pattern.period);
  return options;
}

const bool registered = [] {
  for (const Pattern& pattern : WorkspacePatterns()) {
    internal::RegisterLeakTest(pattern.innocent ? "InnocentWorkspace" : "PlantedWorkspace",
                               std::string(pattern.name).c_str(), __FILE__, __LINE__,
                               OptionsFor(pattern),
                               [&pattern]() -> testing::Test* { return new PatternTest(pattern); });
  }
  return true;
}();

TEST(WorkspacePatterns, EveryMistakeHasAnInnocentTwin) {
  EXPECT_TRUE(registered);
  std::set<std::string_view> mistakes;
  std::set<std::string_view> twins;
  for (const Pattern& pattern : WorkspacePatterns()) {
    (pattern.innocent ? twins : mistakes).insert(pattern.innocent ? pattern.models : pattern.name);
  }
  EXPECT_GE(mistakes.size(), 7u);
  EXPECT_EQ(mistakes, twins);
}

}  // namespace
}  // namespace plimsoll
