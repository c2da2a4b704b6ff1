#include "memleaks_tests/pattern_tests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

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

}  // namespace

bool RegisterPatternTests(const std::string& name, std::span<const Pattern> patterns,
                          const char* file, int line,
                          const std::function<void(const Pattern&, LeakTestOptions&)>& adjust) {
  for (const Pattern& pattern : patterns) {
    LeakTestOptions options;
    if (!pattern.innocent) {
      options.ExpectLeak(pattern.kind, std::string(pattern.site));
      if (pattern.period > 0) options.ExpectPeriod(pattern.period);
    }
    if (adjust) adjust(pattern, options);
    internal::RegisterLeakTest(((pattern.innocent ? "Innocent" : "Planted") + name).c_str(),
                               std::string(pattern.name).c_str(), file, line, options,
                               [&pattern]() -> testing::Test* { return new PatternTest(pattern); });
  }
  return true;
}

size_t CountPlanted(std::span<const Pattern> patterns) {
  return static_cast<size_t>(std::count_if(patterns.begin(), patterns.end(),
                                           [](const Pattern& p) { return !p.innocent; }));
}

}  // namespace plimsoll
