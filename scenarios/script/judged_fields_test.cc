// What a script says of how its case is judged: input_cycle, bounded_by and noisy.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "harness/sample.h"
#include "scenarios/script/script.h"

namespace plimsoll {
namespace {

Expected<std::vector<ScriptCase>> Load(const std::string& fields) {
  const std::string path = testing::TempDir() + "judged_fields.yaml";
  const std::string head = "scenario: s\nengine: reference\niteration: [infer]\n";
  EXPECT_TRUE(WriteFile(path, head + fields).has_value());
  return LoadScript(path);
}

std::string ErrorOf(const std::string& fields) {
  const auto cases = Load(fields);
  return cases.has_value() ? "" : cases.error().message;
}

TEST(JudgedFields, AreAbsentByDefault) {
  const auto cases = Load("");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  EXPECT_EQ(cases->front().input_cycle, 0u);
  EXPECT_TRUE(cases->front().bounded_by.empty());
}

TEST(JudgedFields, InputCycle) {
  const auto cases = Load("input_cycle: 200\n");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  EXPECT_EQ(cases->front().input_cycle, 200u);
  EXPECT_NE(ErrorOf("input_cycle: 0\n").find("judged_fields.yaml:4: input_cycle: '0'"),
            std::string::npos)
      << ErrorOf("input_cycle: 0\n");
  EXPECT_NE(ErrorOf("input_cycle: often\n").find("iterations until the inputs repeat"),
            std::string::npos);
}

TEST(JudgedFields, BoundedBy) {
  const auto cases = Load(
      "bounded_by:\n"
      "  - {bytes: 64 MiB, why: the primitive cache}\n"
      "  - {kind: temporary file, blocks: 3, why: spilled models}\n"
      "  - {kind: allocator block, bytes: 1 KiB, blocks: 2, why: spare}\n");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  const std::vector<BoundedBy>& bounds = cases->front().bounded_by;
  ASSERT_EQ(bounds.size(), 3u);
  EXPECT_EQ(bounds[0].kind, ResourceKind::kHeap);
  EXPECT_EQ(bounds[0].bytes, 64u << 20);
  EXPECT_FALSE(bounds[0].blocks.has_value());
  EXPECT_EQ(bounds[0].why, "the primitive cache");
  EXPECT_EQ(bounds[1].kind, ResourceKind::kTempFile);
  EXPECT_EQ(bounds[1].blocks, 3u);
  EXPECT_EQ(bounds[2].kind, ResourceKind::kAllocatorBlock);
}

TEST(JudgedFields, BoundedByNeedsACapacityAndAReason) {
  EXPECT_NE(ErrorOf("bounded_by: [{why: because}]\n").find("missing 'bytes' or 'blocks'"),
            std::string::npos);
  EXPECT_NE(ErrorOf("bounded_by: [{bytes: 1 KiB}]\n").find("missing 'why'"), std::string::npos);
  EXPECT_NE(ErrorOf("bounded_by: [{kind: socket, blocks: 1, why: x}]\n").find("bounded_by[0].kind"),
            std::string::npos);
}

TEST(JudgedFields, Noisy) {
  EXPECT_FALSE(Load("")->front().noisy.has_value());
  const auto cases =
      Load("noisy: {metrics: [PSS, high-water mark], children: 12, exclude: 4 KiB}\n");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  const std::optional<Noisy>& noisy = cases->front().noisy;
  ASSERT_TRUE(noisy.has_value());
  EXPECT_EQ(noisy->metrics,
            (std::vector<NoisyMetric>{NoisyMetric::kPss, NoisyMetric::kHighWaterMark}));
  EXPECT_EQ(noisy->children, 12u);
  EXPECT_EQ(noisy->exclude_bytes, 4096u);
  EXPECT_EQ(Load("noisy: {}\n")->front().noisy->metrics,
            std::vector<NoisyMetric>{NoisyMetric::kUnaccounted});
}

TEST(JudgedFields, NoisyErrorsNameLineFieldAndValue) {
  EXPECT_NE(
      ErrorOf("noisy: {metrics: [RSS]}\n").find("judged_fields.yaml:4: noisy.metrics[0]: 'RSS'"),
      std::string::npos)
      << ErrorOf("noisy: {metrics: [RSS]}\n");
  EXPECT_NE(ErrorOf("noisy: {exclude: 0}\n").find("noisy.exclude: '0': expected bytes"),
            std::string::npos)
      << ErrorOf("noisy: {exclude: 0}\n");
  EXPECT_NE(ErrorOf("noisy: {children: many}\n").find("noisy.children: 'many'"), std::string::npos);
}

}  // namespace
}  // namespace plimsoll
