#include "allocators/planner_arena/configuration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

constexpr const char* kNames[] = {"ENABLE_MEMORY_OPTIMIZATION", "START_STATISTIC_STEP",
                                  "STABLE_STATISTIC_STEP", "MAX_STATISTIC_STEP"};

class Environment : public testing::Test {
 protected:
  void SetUp() override { Clear(); }
  void TearDown() override { Clear(); }
  static void Clear() {
    for (const char* name : kNames) unsetenv(name);
  }
};

TEST_F(Environment, DefaultsAreDeepRecs) {
  const auto configuration = ArenaConfiguration::FromEnvironment();
  ASSERT_TRUE(configuration.has_value());
  EXPECT_TRUE(configuration->enable_memory_optimization);
  EXPECT_EQ(configuration->start_statistic_step, 100);
  EXPECT_EQ(configuration->stable_statistic_step, 10);
  EXPECT_EQ(configuration->max_statistic_step, 100);
  EXPECT_TRUE(configuration->Check().has_value());
}

TEST_F(Environment, ReadsEachControl) {
  setenv("ENABLE_MEMORY_OPTIMIZATION", "false", 1);
  setenv("START_STATISTIC_STEP", "0", 1);
  setenv("STABLE_STATISTIC_STEP", "3", 1);
  setenv("MAX_STATISTIC_STEP", "1000000000", 1);
  const auto configuration = ArenaConfiguration::FromEnvironment();
  ASSERT_TRUE(configuration.has_value());
  EXPECT_FALSE(configuration->enable_memory_optimization);
  EXPECT_EQ(configuration->start_statistic_step, 0);
  EXPECT_EQ(configuration->stable_statistic_step, 3);
  EXPECT_EQ(configuration->max_statistic_step, 1'000'000'000);
}

TEST_F(Environment, BooleansInAnyCase) {
  for (const auto& [text, value] : std::vector<std::pair<const char*, bool>>{{"true", true},
                                                                             {"True", true},
                                                                             {"TRUE", true},
                                                                             {"1", true},
                                                                             {"false", false},
                                                                             {"False", false},
                                                                             {"FALSE", false},
                                                                             {"0", false}}) {
    setenv("ENABLE_MEMORY_OPTIMIZATION", text, 1);
    const auto configuration = ArenaConfiguration::FromEnvironment();
    ASSERT_TRUE(configuration.has_value()) << text;
    EXPECT_EQ(configuration->enable_memory_optimization, value) << text;
  }
}

TEST_F(Environment, BadValuesAreNamedWithWhatIsAllowed) {
  const std::vector<std::tuple<const char*, const char*, const char*>> bad = {
      {kNames[0], "yes", "true, false, 1 or 0"},
      {kNames[0], "", "true, false, 1 or 0"},
      {kNames[0], "2", "true, false, 1 or 0"},
      {kNames[1], "-1", "from 0 to 1000000000"},
      {kNames[1], "ten", "from 0 to 1000000000"},
      {kNames[1], "", "from 0 to 1000000000"},
      {kNames[2], "0", "from 1 to 1000000000"},
      {kNames[2], "1.5", "from 1 to 1000000000"},
      {kNames[2], "5 ", "from 1 to 1000000000"},
      {kNames[3], "0", "from 1 to 1000000000"},
      {kNames[3], "1000000001", "from 1 to 1000000000"},
      {kNames[3], "99999999999999999999", "from 1 to 1000000000"},
      {kNames[3], "0x10", "from 1 to 1000000000"}};
  for (const auto& [name, value, allowed] : bad) {
    Clear();
    setenv(name, value, 1);
    const auto configuration = ArenaConfiguration::FromEnvironment();
    ASSERT_FALSE(configuration.has_value()) << name << "=" << value;
    const std::string& message = configuration.error().message;
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find("'" + std::string(value) + "'"), std::string::npos) << message;
    EXPECT_NE(message.find(allowed), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(ArenaConfiguration, FieldsOutOfRangeAreNamed) {
  using Change = std::function<void(ArenaConfiguration&)>;
  const std::vector<std::tuple<const char*, const char*, Change>> bad = {
      {"START_STATISTIC_STEP", "-1", [](auto& c) { c.start_statistic_step = -1; }},
      {"STABLE_STATISTIC_STEP", "0", [](auto& c) { c.stable_statistic_step = 0; }},
      {"MAX_STATISTIC_STEP", "0", [](auto& c) { c.max_statistic_step = 0; }},
      {"plan_seconds", "0", [](auto& c) { c.plan_seconds = 0; }},
      {"plan_seconds", "nan", [](auto& c) { c.plan_seconds = std::nan(""); }},
      {"max_plans", "0", [](auto& c) { c.max_plans = 0; }},
      {"max_plans", "1025", [](auto& c) { c.max_plans = 1025; }},
      {"reserve_bytes", "274877906944", [](auto& c) { c.reserve_bytes = uint64_t{1} << 38; }},
      {"limit_bytes", "9223372036854775808", [](auto& c) { c.limit_bytes = uint64_t{1} << 63; }},
      {"first_region_bytes", "1", [](auto& c) { c.first_region_bytes = 1; }},
      {"decay_ms", "-2", [](auto& c) { c.decay_ms = -2; }},
  };
  for (const auto& [name, value, change] : bad) {
    ArenaConfiguration configuration;
    change(configuration);
    const Status status = configuration.Check();
    ASSERT_FALSE(status.has_value()) << name;
    const std::string& message = status.error().message;
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find("'" + std::string(value) + "'"), std::string::npos) << message;
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
  }
}

TEST(ArenaConfiguration, EndsOfRangesAreAllowed) {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 0;
  configuration.stable_statistic_step = 1;
  configuration.max_statistic_step = 1;
  configuration.plan_seconds = 0.001;
  configuration.max_plans = 1024;
  configuration.reserve_bytes = ArenaConfiguration::kMostReservedBytes;
  configuration.limit_bytes = uint64_t{1} << 46;
  configuration.first_region_bytes = 4096;
  configuration.decay_ms = 0;
  EXPECT_TRUE(configuration.Check().has_value());
}

}  // namespace
}  // namespace plimsoll
