// libtorch training with 200 input sizes: while new sizes arrive, its caches fill, and that
// is GROWING with oneDNN's primitive cache named; once every size was seen it settles. It is
// a LEAK at no time.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "harness/report/table.h"
#include "scenarios/launch/launch.h"
#include "scenarios/script/script.h"

namespace plimsoll {
namespace {

constexpr char kScript[] = "scenarios/scripts/training/varying_shapes.yaml";

CaseResult RunFor(uint32_t iterations) {
  const auto cases = LoadScript(kScript);
  EXPECT_TRUE(cases.has_value()) << cases.error().message;
  if (!cases.has_value()) return {};
  LaunchOptions options;
  options.iterations = iterations;
  const Expected<ScratchFolder> folder = ScratchFolder::Make();
  EXPECT_TRUE(folder.has_value());
  CaseObserver observer;
  return RunScriptCase(cases->front(), options, *folder, observer);
}

TEST(VaryingShapes, GrowingWithThePrimitiveCacheNamedWhileSizesArrive) {
  const CaseResult result = RunFor(128);
  EXPECT_STREQ(VerdictName(result.verdict), "GROWING") << RenderDetails(result);
  const bool named =
      std::any_of(result.sites.begin(), result.sites.end(), [](const SiteFinding& site) {
        return std::any_of(site.stack.begin(), site.stack.end(), [](const std::string& frame) {
          // The functions below it have no names in Debian's library.
          return frame.find("dnnl_primitive_create") != std::string::npos;
        });
      });
  EXPECT_TRUE(named) << RenderDetails(result);
}

TEST(VaryingShapes, CleanOnceEverySizeWasSeen) {
  const CaseResult result = RunFor(2048);
  EXPECT_STREQ(VerdictName(result.verdict), "CLEAN") << RenderDetails(result);
}

}  // namespace
}  // namespace plimsoll
