#include "scenarios/engines/reference/cyclic_allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

using Made = Expected<std::unique_ptr<TensorAllocator>>;

Made Make(const std::string& allocator, const json& knobs = json::object()) {
  EngineConfig config;
  config.path = "CASE.json";
  config.scenario = "cycle";
  config.allocator = allocator;
  FieldReader reader(knobs, config.path + ": knobs");
  const CyclicOptions options = ReadCyclicOptions(reader);
  if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
  return MakeCyclicAllocator(config, options);
}

std::string ErrorOf(const Made& made) { return made ? "no error" : made.error().message; }

using Floats = std::pmr::vector<float>;

TEST(CyclicAllocator, AWorkspaceServesTheStepsAndNothingElse) {
  const auto allocator = Make("workspace", {{"workspace_initial_size", "1 MiB"}}).value();
  EXPECT_EQ(allocator->resource(), nullptr);
  EXPECT_EQ(allocator->step_resource(), nullptr) << "between steps there is no scope";
  const float* places[2];
  for (const float*& place : places) {
    allocator->BeginStep();
    const Floats first(100, allocator->step_resource());
    const Floats second(100, allocator->step_resource());
    EXPECT_EQ(second.data() - first.data(), 100);
    place = first.data();
    allocator->EndStep();
  }
  EXPECT_EQ(places[0], places[1]) << "the second step has the memory of the first";
  EXPECT_THAT(allocator->Report(), HasSubstr("cycle"));
}

TEST(CyclicAllocator, CollectedBlocksAreFreedWhenTheCollectorComesRound) {
  const auto allocator = Make("collected", {{"collect_every", 3}}).value();
  for (int step = 1; step <= 6; ++step) {
    allocator->BeginStep();
    Floats(256, allocator->step_resource());
    allocator->EndStep();
    EXPECT_THAT(allocator->Report(),
                HasSubstr("collected: " + std::to_string(step / 3 * 3) + " blocks freed in " +
                          std::to_string(step / 3) + " collections of " + std::to_string(step)));
  }
  EXPECT_THAT(allocator->Report(), HasSubstr("at most 3072 B waiting"));
}

TEST(CyclicAllocator, EveryKnobOfTheWorkspaceArrives) {
  const json knobs = {{"workspace_initial_size", 4096u},
                      {"workspace_overallocation_limit", 2.0},
                      {"workspace_cycles", 5},
                      {"workspace_allocation", "STRICT"},
                      {"workspace_learning", "OVER_TIME"},
                      {"workspace_reset", "BLOCK_LEFT"},
                      {"workspace_spill", "REALLOCATE"},
                      {"workspace_location", "RAM"}};
  FieldReader reader(knobs, "knobs");
  const CyclicOptions options = ReadCyclicOptions(reader);
  ASSERT_TRUE(reader.Finish().has_value());
  const std::string text = options.workspace.Build().value().ToText();
  for (const char* field :
       {"initial_size=4096", "overallocation_limit=2", "cycles_before_initialization=5",
        "allocation=STRICT", "learning=OVER_TIME", "reset=BLOCK_LEFT", "spill=REALLOCATE",
        "location=RAM"}) {
    EXPECT_THAT(text, HasSubstr(field));
  }
}

TEST(CyclicAllocator, RefusalsNameTheCaseAndTheField) {
  EXPECT_EQ(ErrorOf(Make("arena")),
            "CASE.json: allocator: 'arena': expected one of workspace, collected");
  EXPECT_THAT(ErrorOf(Make("workspace", {{"workspace_spill", "NOWHERE"}})),
              HasSubstr("workspace_spill: 'NOWHERE': expected one of EXTERNAL, REALLOCATE, FAIL"));
  EXPECT_THAT(ErrorOf(Make("workspace", {{"workspace_learning", "OVER_TIME"}})),
              HasSubstr("CASE.json: knobs: workspace configuration: "
                        "cycles_before_initialization: '0': expected at least 1"));
  EXPECT_THAT(ErrorOf(Make("workspace", {{"workspace_location", "MMAP"},
                                         {"workspace_initial_size", "1024 TiB"}})),
              HasSubstr("CASE.json: workspace 'cycle': initial "));
}

}  // namespace
}  // namespace plimsoll
