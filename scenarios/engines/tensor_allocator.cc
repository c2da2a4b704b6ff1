#include "scenarios/engines/tensor_allocator.h"

#include <string_view>
#include <utility>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/configuration.h"

namespace plimsoll {
namespace {

class PlannerArenaAllocator : public TensorAllocator {
 public:
  explicit PlannerArenaAllocator(std::unique_ptr<PlannerArena> arena) : arena_(std::move(arena)) {}

  std::pmr::memory_resource* resource() override { return arena_.get(); }
  void BeginStep() override { step_.emplace(*arena_); }
  void EndStep() override { step_.reset(); }

  std::string Report() const override {
    const ArenaStats stats = arena_->Stats();
    return "planner_arena: " + std::to_string(stats.planned_steps) + " of " +
           std::to_string(stats.steps) + " steps planned, hits " + std::to_string(stats.hits) +
           ", misses " + std::to_string(stats.misses) + ", unplanned " +
           std::to_string(stats.unplanned) + ", outside " + std::to_string(stats.outside) +
           ", plan " + std::to_string(stats.plan_height) + " B for a peak of " +
           std::to_string(stats.plan_peak_live) + " B";
  }

 private:
  std::unique_ptr<PlannerArena> arena_;
  std::optional<StepScope> step_;  // begins and ends on the training thread
};

std::optional<int64_t> ReadSteps(FieldReader& knobs, std::string_view field, int64_t least) {
  constexpr int64_t kAbsent = -1;
  const int64_t steps = knobs.Integer(field, kAbsent, least, 1'000'000);
  return steps == kAbsent ? std::nullopt : std::optional(steps);
}

Expected<std::unique_ptr<TensorAllocator>> MakePlannerArena(const ArenaOptions& options) {
  auto configuration = ArenaConfiguration::FromEnvironment();
  if (!configuration) return tl::unexpected(configuration.error());
  if (options.start_step) configuration->start_statistic_step = *options.start_step;
  if (options.stable_steps) configuration->stable_statistic_step = *options.stable_steps;
  if (options.max_steps) configuration->max_statistic_step = *options.max_steps;
  configuration->plan_in_background = options.background;
  auto arena = PlannerArena::Create(*configuration);
  if (!arena) return tl::unexpected(arena.error());
  return std::make_unique<PlannerArenaAllocator>(std::move(*arena));
}

}  // namespace

ArenaOptions ReadArenaOptions(FieldReader& knobs) {
  ArenaOptions options;
  options.start_step = ReadSteps(knobs, "arena_start_step", 0);
  options.stable_steps = ReadSteps(knobs, "arena_stable_steps", 1);
  options.max_steps = ReadSteps(knobs, "arena_max_steps", 1);
  options.background = knobs.Flag("arena_background", options.background);
  return options;
}

Expected<std::unique_ptr<TensorAllocator>> MakeTensorAllocator(const EngineConfig& config,
                                                               const ArenaOptions& arena) {
  if (config.allocator == "system") return std::make_unique<TensorAllocator>();
  if (config.allocator == "planner_arena") return MakePlannerArena(arena);
  return BadValue(config.path, "allocator", config.allocator,
                  "expected one of system, planner_arena");
}

}  // namespace plimsoll
