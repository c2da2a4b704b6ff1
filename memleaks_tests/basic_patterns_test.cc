// The eight basic planted leaks, each of which must be caught by its kind, its site and
// its rate, and their innocent twins, which must be CLEAN. A LEAK_TEST for each pattern,
// made from the table that the reference engine's scripts use.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "harness/leak_test.h"
#include "scenarios/engines/reference/pattern.h"
#include "scenarios/engines/reference/patterns.h"

namespace plimsoll {
namespace {

constexpr uint64_t kSeed = 1;

class PatternTest : public testing::Test, public internal::LeakTestBody {
 public:
  explicit PatternTest(const Pattern& pattern) : run_(pattern.make(kSeed)) {}
  void TestBody() override { internal::RunIterations(*this); }
  void Iteration() override { run_->Iterate(); }

 private:
  const std::unique_ptr<PatternRun> run_;
};

LeakTestOptions OptionsFor(const Pattern& pattern) {
  LeakTestOptions options;
  if (pattern.innocent) return options;
  options.ExpectLeak(pattern.kind, std::string(pattern.site));
  if (pattern.period > 0) options.ExpectPeriod(pattern.period);
  return options;
}

const bool registered = [] {
  for (const Pattern& pattern : BasicPatterns()) {
    internal::RegisterLeakTest(pattern.innocent ? "Innocent" : "Planted",
                               std::string(pattern.name).c_str(), __FILE__, __LINE__,
                               OptionsFor(pattern),
                               [&pattern]() -> testing::Test* { return new PatternTest(pattern); });
  }
  return true;
}();

TEST(BasicPatterns, EightArePlantedAndFourAreInnocent) {
  EXPECT_TRUE(registered);
  size_t planted = 0;
  size_t innocent = 0;
  for (const Pattern& pattern : BasicPatterns()) ++(pattern.innocent ? innocent : planted);
  EXPECT_GE(planted, 8u);
  EXPECT_GE(innocent, 4u);
}

}  // namespace
}  // namespace plimsoll
