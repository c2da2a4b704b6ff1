#include "allocators/planner_arena/configuration.h"

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace plimsoll {
namespace {

constexpr const char* kEnable = "ENABLE_MEMORY_OPTIMIZATION";
constexpr const char* kStart = "START_STATISTIC_STEP";
constexpr const char* kStable = "STABLE_STATISTIC_STEP";
constexpr const char* kMax = "MAX_STATISTIC_STEP";
constexpr int64_t kMostSteps = 1'000'000'000;

std::string AllowedSteps(int64_t least) {
  return "expected a number of steps from " + std::to_string(least) + " to " +
         std::to_string(kMostSteps);
}

Status ReadFlag(const char* name, bool& value) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return {};
  const std::string_view given = text;
  if (given == "true" || given == "1") {
    value = true;
  } else if (given == "false" || given == "0") {
    value = false;
  } else {
    return BadValue("environment", name, given, "expected true, false, 1 or 0");
  }
  return {};
}

Status ReadSteps(const char* name, int64_t least, int64_t& value) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return {};
  const std::string_view given = text;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), number);
  if (error != std::errc() || end != given.data() + given.size() || number < least ||
      number > kMostSteps) {
    return BadValue("environment", name, given, AllowedSteps(least));
  }
  value = number;
  return {};
}

Status CheckSteps(const char* name, int64_t least, int64_t value) {
  if (value >= least && value <= kMostSteps) return {};
  return BadValue("arena configuration", name, std::to_string(value), AllowedSteps(least));
}

}  // namespace

Expected<ArenaConfiguration> ArenaConfiguration::FromEnvironment() {
  ArenaConfiguration configuration;
  for (const Status& status : {ReadFlag(kEnable, configuration.enable_memory_optimization),
                               ReadSteps(kStart, 0, configuration.start_statistic_step),
                               ReadSteps(kStable, 1, configuration.stable_statistic_step),
                               ReadSteps(kMax, 1, configuration.max_statistic_step)}) {
    if (!status) return tl::unexpected(status.error());
  }
  return configuration;
}

Status ArenaConfiguration::Check() const {
  for (const Status& status :
       {CheckSteps(kStart, 0, start_statistic_step), CheckSteps(kStable, 1, stable_statistic_step),
        CheckSteps(kMax, 1, max_statistic_step)}) {
    if (!status) return status;
  }
  return {};
}

}  // namespace plimsoll
