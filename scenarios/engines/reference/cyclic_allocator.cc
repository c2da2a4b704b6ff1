#include "scenarios/engines/reference/cyclic_allocator.h"

#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "allocators/workspace/deallocator_queue.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/statistics.h"
#include "allocators/workspace/workspace.h"

namespace plimsoll {
namespace {

class WorkspaceAllocator : public TensorAllocator {
 public:
  explicit WorkspaceAllocator(std::unique_ptr<Workspace> workspace)
      : workspace_(std::move(workspace)) {}

  std::pmr::memory_resource* step_resource() override {
    return workspace_->open() ? workspace_.get() : nullptr;
  }
  void BeginStep() override {
    Expected<WorkspaceScope> scope = workspace_->Enter();
    if (!scope) throw std::runtime_error(scope.error().message);
    scope_.emplace(std::move(*scope));
  }
  void EndStep() override { scope_.reset(); }

  std::string Report() const override { return StatisticsText(workspace_->Statistics()); }

 private:
  std::unique_ptr<Workspace> workspace_;
  std::optional<WorkspaceScope> scope_;
};

class CollectedAllocator : public TensorAllocator {
 public:
  explicit CollectedAllocator(int64_t collect_every) : collect_every_(collect_every) {}

  std::pmr::memory_resource* step_resource() override { return &queue_; }
  void EndStep() override {
    if (++steps_ % collect_every_ == 0) queue_.Collect();
  }

  std::string Report() const override {
    const DeallocatorQueueStatistics s = queue_.Statistics();
    return "collected: " + std::to_string(s.freed_blocks) + " blocks freed in " +
           std::to_string(s.collections) + " collections of " + std::to_string(steps_) +
           " steps, at most " + std::to_string(s.peak_pending_bytes) + " B waiting";
  }

 private:
  const int64_t collect_every_;
  int64_t steps_ = 0;
  // Without a thread of its own, so that what is held does not depend on the machine.
  DeallocatorQueue queue_{{.background = false}};
};

// Reads `field` as one of `allowed` and hands it to the builder's field of that name,
// unless the knob is absent.
void ReadPolicy(FieldReader& knobs, WorkspaceConfigurationBuilder& builder, std::string_view field,
                std::span<const std::string_view> allowed) {
  const std::string policy = knobs.Choice("workspace_" + std::string(field), "", allowed);
  // Everything that is allowed is known to the builder.
  if (!policy.empty()) static_cast<void>(builder.Set(field, policy).has_value());
}

}  // namespace

CyclicOptions ReadCyclicOptions(FieldReader& knobs) {
  static constexpr std::string_view kAllocation[] = {"STRICT", "OVERALLOCATE"};
  static constexpr std::string_view kLearning[] = {"NONE", "FIRST_LOOP", "OVER_TIME"};
  static constexpr std::string_view kReset[] = {"BLOCK_LEFT", "ENDOFBUFFER_REACHED"};
  static constexpr std::string_view kSpill[] = {"EXTERNAL", "REALLOCATE", "FAIL"};
  static constexpr std::string_view kLocation[] = {"RAM", "MMAP"};
  CyclicOptions options;
  WorkspaceConfigurationBuilder& builder = options.workspace;
  builder.InitialSize(static_cast<int64_t>(
      knobs.Bytes("workspace_initial_size", 0, 0, static_cast<uint64_t>(INT64_MAX))));
  builder.OverallocationLimit(knobs.Number("workspace_overallocation_limit", 0.3, 0, 1000));
  builder.CyclesBeforeInitialization(knobs.Integer("workspace_cycles", 0, 0, 1'000'000));
  ReadPolicy(knobs, builder, "allocation", kAllocation);
  ReadPolicy(knobs, builder, "learning", kLearning);
  ReadPolicy(knobs, builder, "reset", kReset);
  ReadPolicy(knobs, builder, "spill", kSpill);
  ReadPolicy(knobs, builder, "location", kLocation);
  options.collect_every = knobs.Integer("collect_every", 1, 1, 1'000'000);
  return options;
}

bool IsCyclicAllocator(std::string_view allocator) {
  return allocator == "workspace" || allocator == "collected";
}

Expected<std::unique_ptr<TensorAllocator>> MakeCyclicAllocator(const EngineConfig& config,
                                                               const CyclicOptions& options) {
  if (config.allocator == "collected") {
    return std::make_unique<CollectedAllocator>(options.collect_every);
  }
  if (config.allocator != "workspace") {
    return BadValue(config.path, "allocator", config.allocator,
                    "expected one of workspace, collected");
  }
  const auto configuration = options.workspace.Build();
  if (!configuration) return Fail(config.path + ": knobs: " + configuration.error().message);
  auto workspace = Workspace::Create(*configuration, config.scenario);
  if (!workspace) return Fail(config.path + ": " + workspace.error().message);
  return std::make_unique<WorkspaceAllocator>(std::move(*workspace));
}

}  // namespace plimsoll
