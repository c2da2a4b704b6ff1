#include "scenarios/launch/launch.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "harness/result.h"
#include "harness/runner/parent.h"
#include "scenarios/script/script.h"

namespace plimsoll {
namespace {

ScriptCase Planted(const std::string& pattern) {
  ScriptCase one;
  one.scenario = pattern;
  one.engine = "reference";
  one.allocator = "system";
  one.environment = "glibc";
  one.config_json = R"({"scenario": "s", "engine": "reference", "allocator": "system",
                        "iteration": [{"pattern": ")" +
                    pattern + "\"}]}";
  one.iterations = 128;
  return one;
}

CaseResult RunAlone(const ScriptCase& one) {
  const Expected<ScratchFolder> folder = ScratchFolder::Make();
  EXPECT_TRUE(folder.has_value());
  CaseObserver observer;
  return RunScriptCase(one, LaunchOptions(), *folder, observer);
}

TEST(Launch, InputCycleAndBoundsReachTheRule) {
  ScriptCase one = Planted("map_growth");
  one.input_cycle = 200;
  one.bounded_by = {
      {.kind = ResourceKind::kMapping, .bytes = 4096, .blocks = std::nullopt, .why = "spare"},
      {.kind = ResourceKind::kDescriptor, .bytes = std::nullopt, .blocks = 3, .why = "files"}};
  const Expected<ScratchFolder> folder = ScratchFolder::Make();
  ASSERT_TRUE(folder.has_value());
  const Expected<CaseSpec> spec = PrepareCase(one, LaunchOptions(), *folder);
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  EXPECT_EQ(spec->rule.input_cycle, 200u);
  ASSERT_EQ(spec->rule.bounds.size(), 2u);
  EXPECT_EQ(spec->rule.bounds[0].kind, ResourceKind::kMapping);
  EXPECT_EQ(spec->rule.bounds[0].bytes, 4096u);
  EXPECT_FALSE(spec->rule.bounds[0].site.has_value());
  EXPECT_EQ(spec->rule.bounds[1].blocks, 3u);
}

TEST(Launch, WhatFillsUnderNewInputsIsNoLeakYet) {
  ScriptCase one = Planted("map_growth");
  EXPECT_EQ(RunAlone(one).verdict, Verdict::kLeak);
  one.input_cycle = 100;
  EXPECT_EQ(RunAlone(one).verdict, Verdict::kGrowing);
}

TEST(Launch, ACacheWithinItsCapacityIsNotJudged) {
  ScriptCase one = Planted("map_growth");
  one.bounded_by = {
      {.kind = ResourceKind::kHeap, .bytes = std::nullopt, .blocks = 1000, .why = "a registry"}};
  EXPECT_EQ(RunAlone(one).verdict, Verdict::kClean);
  one.input_cycle = 100;
  one.bounded_by[0].blocks = 50;
  EXPECT_EQ(RunAlone(one).verdict, Verdict::kOver);
}

TEST(Launch, NoisyCountersAreJudgedOverChildren) {
  ScriptCase one = Planted("bounded_lru");
  one.iterations = 512;
  one.noisy.emplace();
  one.noisy->metrics = {NoisyMetric::kPss, NoisyMetric::kUnaccounted};
  const CaseResult result = RunAlone(one);
  ASSERT_EQ(result.trends.size(), 2u) << result.reason;
  EXPECT_EQ(result.trends[0].metric, "PSS");
  EXPECT_EQ(result.trends[0].verdict, Verdict::kClean) << result.trends[0].reason;
  one.noisy->children = 3;
  EXPECT_NE(RunAlone(one).reason.find("noisy: trend rule: children: '3': expected at least"),
            std::string::npos);
}

}  // namespace
}  // namespace plimsoll
