// A step that repeats, on the planner arena: three layers forward, and backward again.
//
//   ./bazelw run //allocators/planner_arena:arena_example
//   START_STATISTIC_STEP=10 ./bazelw run //allocators/planner_arena:arena_example
//
// Exit status: 0; 2 when a control in the environment is out of range.

#include <sys/resource.h>

#include <cstddef>
#include <cstdio>
#include <deque>
#include <memory_resource>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_sites.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using Tensor = std::pmr::vector<float>;

// Any pmr container takes its memory from the arena.
void Train(std::pmr::memory_resource& memory) {
  std::deque<Tensor> activations;
  {
    const SiteScope site("forward");
    for (const size_t floats : {10'000'000, 6'000'000, 3'000'000}) {
      const Tensor scratch(floats, &memory);
      activations.emplace_back(floats, &memory);
    }
  }
  const SiteScope site("backward");
  while (!activations.empty()) {
    const Tensor gradient(activations.back().size(), &memory);
    activations.pop_back();
  }
}

long PageFaults() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

int Run() {
  const Expected<ArenaConfiguration> configuration = ArenaConfiguration::FromEnvironment();
  if (!configuration) {
    std::fprintf(stderr, "arena_example: %s\n", configuration.error().message.c_str());
    return 2;
  }
  const auto arena = PlannerArena::Create(*configuration).value();
  std::printf("step  phase     page faults\n");
  for (int step = 1; step <= 200; ++step) {
    const long faults = PageFaults();
    const int64_t planned = arena->Stats().planned_steps;
    {
      const StepScope scope(*arena);
      Train(*arena);
    }
    if (step % 20 == 0) {
      std::printf("%4d  %-8s  %ld\n", step,
                  arena->Stats().planned_steps > planned ? "planned" : "not yet",
                  PageFaults() - faults);
    }
  }
  const ArenaStats stats = arena->Stats();
  std::printf("%lld of %lld steps planned: %lld requests hit, %lld missed\n",
              static_cast<long long>(stats.planned_steps), static_cast<long long>(stats.steps),
              static_cast<long long>(stats.hits), static_cast<long long>(stats.misses));
  std::printf("the plan takes %s; at most %s are live, no plan is lower than %s\n",
              FormatBytes(static_cast<double>(stats.plan_height)).c_str(),
              FormatBytes(static_cast<double>(stats.plan_peak_live)).c_str(),
              FormatBytes(static_cast<double>(stats.plan_lower_bound)).c_str());
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main() { return plimsoll::Run(); }
