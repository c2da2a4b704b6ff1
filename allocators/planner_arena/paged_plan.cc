#include "allocators/planner_arena/paged_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "allocators/planner_arena/greedy.h"
#include "allocators/planner_arena/planner.h"

namespace plimsoll {
namespace {

// A plan on pages may be higher than the lowest by one part in so many.
constexpr int64_t kPartToLose = 1000;
// What the attempt may cost: some milliseconds. A plan that comes late serves fewer steps.
constexpr size_t kMostBuffers = 10'000;
constexpr int64_t kEffort = 0;

// Alignments that no page is a multiple of stay as they are.
std::vector<Buffer> OnPages(std::vector<Buffer> buffers, int64_t page) {
  for (Buffer& buffer : buffers) {
    if (buffer.size >= kLeastToPage && page % buffer.alignment == 0) buffer.alignment = page;
  }
  return buffers;
}

}  // namespace

Plan PlanOnPages(const std::vector<Buffer>& buffers, double seconds, int64_t page) {
  if (!CheckBuffers(buffers)) return GreedyBySize(buffers);
  const int64_t bound = LowerBound(buffers);
  const std::vector<Buffer> on_pages = OnPages(buffers, page);
  if (bound > 0 && buffers.size() <= kMostBuffers && CheckBuffers(on_pages)) {
    PlanOptions options;
    options.capacity = bound + bound / kPartToLose;
    options.effort = kEffort;
    PlanResult planned = MakePlan(on_pages, options).value();
    if (planned.fits == Fits::kYes) return std::move(planned.plan);
  }
  return MakePlan(buffers, {.time_limit = seconds}).value().plan;
}

}  // namespace plimsoll
