// What an arena says of itself.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_picture.h"
#include "allocators/planner_arena/arena_sites.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using Json = nlohmann::ordered_json;

// Sites that a report of failure lists.
constexpr size_t kSitesInReport = 10;

template <typename Number>
Json OrNull(const std::optional<Number>& number) {
  return number ? Json(*number) : Json(nullptr);
}

const Timeline::Report::OfPlan* Tallest(const std::vector<Timeline::Report>& reports) {
  const Timeline::Report::OfPlan* tallest = nullptr;
  for (const Timeline::Report& report : reports) {
    for (const Timeline::Report::OfPlan& plan : report.plans) {
      if (tallest == nullptr || plan.schedule->height() > tallest->schedule->height()) {
        tallest = &plan;
      }
    }
  }
  return tallest;
}

Json SizeClassesJson(const Timeline::Report& report) {
  Json classes = Json::array();
  for (size_t c = 0; c < kSizeClasses; ++c) {
    if (report.hits[c] == 0 && report.misses[c] == 0) continue;
    classes.push_back({{"below_bytes", kGranuleBytes << c},
                       {"hits", report.hits[c]},
                       {"misses", report.misses[c]}});
  }
  return classes;
}

Json PlanJson(const Timeline::Report::OfPlan& plan) {
  const Schedule& schedule = *plan.schedule;
  return {{"id", plan.id},
          {"named_shape", plan.shape_key != 0},
          {"covers_shapes", plan.covers_shapes},
          {"lanes_apart", plan.lanes_apart},
          {"requests", schedule.num_slots()},
          {"height_bytes", schedule.layout().height},
          {"lower_bound_bytes", schedule.layout().lower_bound},
          {"peak_live_bytes", schedule.layout().peak_live},
          {"steps_served", plan.steps_served},
          {"age_steps", plan.age_steps}};
}

Json TimelineJson(const Timeline::Report& report) {
  Json plans = Json::array();
  for (const auto& plan : report.plans) plans.push_back(PlanJson(plan));
  return {{"phase", report.phase},
          {"steps", report.steps},
          {"planned_steps", report.planned_steps},
          {"recorded_steps", report.recorded_steps},
          {"stable_steps", report.stable_steps},
          {"committed_bytes", report.committed_bytes},
          {"largest_free_bytes", report.largest_free_bytes},
          {"hints_taken", report.hints_taken},
          {"live_blocks", report.live.size()},
          {"unplanned", report.unplanned},
          {"size_classes", SizeClassesJson(report)},
          {"plans", std::move(plans)}};
}

Json ConfigurationJson(const ArenaConfiguration& configuration) {
  return {{"enable_memory_optimization", configuration.enable_memory_optimization},
          {"start_statistic_step", configuration.start_statistic_step},
          {"stable_statistic_step", configuration.stable_statistic_step},
          {"max_statistic_step", configuration.max_statistic_step},
          {"plan_in_background", configuration.plan_in_background},
          {"plan_seconds", configuration.plan_seconds},
          {"max_plans", configuration.max_plans},
          {"reserve_bytes", configuration.reserve_bytes},
          {"limit_bytes", configuration.limit_bytes},
          {"growth", configuration.growth == Growth::kGrow ? "grow" : "preallocate"},
          {"first_region_bytes", configuration.first_region_bytes},
          {"decay_ms", configuration.decay_ms},
          {"huge_pages", configuration.huge_pages},
          {"numa_interleave", configuration.numa_interleave}};
}

}  // namespace

std::vector<Timeline::Report> PlannerArena::Reports() const {
  std::vector<Timeline::Report> reports;
  const uint32_t count = num_timelines_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    reports.push_back(timelines_[i].load(std::memory_order_relaxed)->GetReport());
  }
  return reports;
}

ArenaStats PlannerArena::Stats() const {
  ArenaStats stats;
  AllocatorStats& allocator = stats.allocator;
  allocator.num_allocs = allocs_.load(std::memory_order_relaxed);
  allocator.bytes_in_use = bytes_.load(std::memory_order_relaxed);
  allocator.peak_bytes_in_use = peak_.load(std::memory_order_relaxed);
  allocator.largest_alloc_size = largest_.load(std::memory_order_relaxed);
  if (budget_.limit() != 0) allocator.bytes_limit = budget_.limit();
  allocator.bytes_reserved = budget_.held();
  allocator.peak_bytes_reserved = budget_.peak();
  allocator.largest_free_block = 0;
  stats.outside = outside_.load(std::memory_order_relaxed);
  const std::vector<Timeline::Report> reports = Reports();
  for (const Timeline::Report& report : reports) {
    allocator.num_allocs += report.allocs;
    allocator.bytes_in_use += report.bytes;
    allocator.peak_bytes_in_use = std::max(allocator.peak_bytes_in_use, report.peak);
    allocator.largest_alloc_size = std::max(allocator.largest_alloc_size, report.largest);
    allocator.largest_free_block =
        std::max(*allocator.largest_free_block, report.largest_free_bytes);
    for (size_t c = 0; c < kSizeClasses; ++c) {
      stats.hits += report.hits[c];
      stats.misses += report.misses[c];
    }
    stats.unplanned += report.unplanned;
    stats.steps += report.steps;
    stats.planned_steps += report.planned_steps;
    stats.recorded_steps += report.recorded_steps;
    stats.stable_steps = std::max(stats.stable_steps, report.stable_steps);
    for (const auto& plan : report.plans) {
      if (stats.plans++ == 0 || plan.age_steps < stats.plan_age_steps) {
        stats.plan_age_steps = plan.age_steps;
      }
    }
  }
  if (const auto* const plan = Tallest(reports)) {
    stats.plan_height = plan->schedule->layout().height;
    stats.plan_lower_bound = plan->schedule->layout().lower_bound;
    stats.plan_peak_live = plan->schedule->layout().peak_live;
  }
  return stats;
}

std::string PlannerArena::SnapshotJson() const {
  const ArenaStats stats = Stats();
  const AllocatorStats& allocator = stats.allocator;
  Json timelines = Json::array();
  std::map<uint32_t, uint64_t> bytes_by_site;
  for (const Timeline::Report& report : Reports()) {
    timelines.push_back(TimelineJson(report));
    for (const auto& [site, bytes] : report.live_bytes_by_site) bytes_by_site[site] += bytes;
  }
  for (const auto& [site, bytes] : upstream_blocks_.BytesBySite()) bytes_by_site[site] += bytes;
  Json sites = Json::array();
  for (const auto& [site, bytes] : bytes_by_site) {
    sites.push_back({{"site", SiteName(site)}, {"live_bytes", bytes}});
  }
  const Json snapshot = {{"schema_version", 1},
                         {"configuration", ConfigurationJson(configuration_)},
                         {"stats",
                          {{"num_allocs", allocator.num_allocs},
                           {"bytes_in_use", allocator.bytes_in_use},
                           {"peak_bytes_in_use", allocator.peak_bytes_in_use},
                           {"largest_alloc_size", allocator.largest_alloc_size},
                           {"bytes_limit", OrNull(allocator.bytes_limit)},
                           {"bytes_reserved", allocator.bytes_reserved},
                           {"peak_bytes_reserved", allocator.peak_bytes_reserved},
                           {"largest_free_block", OrNull(allocator.largest_free_block)},
                           {"fragmentation", OrNull(allocator.Fragmentation())},
                           {"hits", stats.hits},
                           {"misses", stats.misses},
                           {"unplanned", stats.unplanned},
                           {"outside", stats.outside},
                           {"steps", stats.steps},
                           {"planned_steps", stats.planned_steps},
                           {"recorded_steps", stats.recorded_steps},
                           {"stable_steps", stats.stable_steps},
                           {"plans", stats.plans},
                           {"plan_age_steps", stats.plan_age_steps}}},
                         {"timelines", std::move(timelines)},
                         {"sites", std::move(sites)}};
  // Names of sites are the program's, and need not be UTF-8.
  return snapshot.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string PlannerArena::PictureSvg() const {
  const std::vector<Timeline::Report> reports = Reports();
  const auto* const plan = Tallest(reports);
  return plan == nullptr ? "" : DrawStep(plan->schedule->profile(), plan->schedule->layout());
}

std::string PlannerArena::ProfileCsv() const {
  const std::vector<Timeline::Report> reports = Reports();
  const auto* const plan = Tallest(reports);
  return plan == nullptr ? "" : WriteProfileCsv(plan->schedule->profile());
}

std::string PlannerArena::OutOfMemoryReport(size_t bytes, bool over_limit) const {
  std::map<uint32_t, uint64_t> bytes_by_site;
  int64_t planned = 0;
  int64_t committed = 0;
  for (const Timeline::Report& report : Reports()) {
    committed += report.committed_bytes;
    for (const auto& [site, live] : report.live_bytes_by_site) {
      bytes_by_site[site] += live;
      planned += static_cast<int64_t>(live);
    }
  }
  int64_t upstream = 0;
  for (const auto& [site, live] : upstream_blocks_.BytesBySite()) {
    bytes_by_site[site] += live;
    upstream += static_cast<int64_t>(live);
  }
  const auto text = [](int64_t n) { return FormatBytes(static_cast<double>(n)); };
  std::string report =
      "planner arena: out of memory: " + SiteName(CurrentSite()) + " asked for " +
      FormatBytes(static_cast<double>(bytes)) +
      (over_limit ? ", over the limit of " + text(budget_.limit()) : ", and upstream failed") +
      "; held " + text(budget_.held()) + ": arena " + text(committed) + " with " + text(planned) +
      " live, upstream " + text(upstream) + " live";
  std::vector<std::pair<uint64_t, uint32_t>> order;
  for (const auto& [site, live] : bytes_by_site) order.emplace_back(live, site);
  std::sort(order.rbegin(), order.rend());
  for (size_t i = 0; i < std::min(order.size(), kSitesInReport); ++i) {
    report += "\n  " + text(static_cast<int64_t>(order[i].first)) + " live of " +
              SiteName(order[i].second);
  }
  return report;
}

}  // namespace plimsoll
