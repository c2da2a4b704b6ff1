#include "allocators/planner_arena/configuration.h"

#include <strings.h>

#include <charconv>
#include <cstdlib>
#include <sstream>
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
  const auto is = [text](const char* word) { return strcasecmp(text, word) == 0; };
  if (is("true") || is("1")) {
    value = true;
  } else if (is("false") || is("0")) {
    value = false;
  } else {
    return BadValue("environment", name, text, "expected true, false, 1 or 0");
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

template <typename Number>
Status CheckRange(const char* name, Number value, Number least, Number most, const char* unit) {
  if (value >= least && value <= most) return {};  // false for NaN
  std::ostringstream given;
  std::ostringstream allowed;
  given << value;
  allowed << "expected " << unit << " from " << least << " to " << most;
  return BadValue("arena configuration", name, given.str(), allowed.str());
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
  constexpr uint64_t kMostBytes = uint64_t{1} << 46;
  constexpr int64_t kDayMs = 24 * 3600 * 1000;
  for (const Status& status :
       {CheckRange<int64_t>(kStart, start_statistic_step, 0, kMostSteps, "a number of steps"),
        CheckRange<int64_t>(kStable, stable_statistic_step, 1, kMostSteps, "a number of steps"),
        CheckRange<int64_t>(kMax, max_statistic_step, 1, kMostSteps, "a number of steps"),
        CheckRange<double>("plan_seconds", plan_seconds, 0.001, 3600, "seconds"),
        CheckRange<int64_t>("max_plans", max_plans, 1, 1024, "a number of plans"),
        CheckRange<uint64_t>("reserve_bytes", reserve_bytes, 0, kMostReservedBytes, "bytes"),
        CheckRange<uint64_t>("limit_bytes", limit_bytes, 0, kMostBytes, "bytes"),
        CheckRange<uint64_t>("first_region_bytes", first_region_bytes, 4096, kMostBytes, "bytes"),
        CheckRange<int64_t>("decay_ms", decay_ms, -1, kDayMs, "milliseconds")}) {
    if (!status) return status;
  }
  return {};
}

}  // namespace plimsoll
