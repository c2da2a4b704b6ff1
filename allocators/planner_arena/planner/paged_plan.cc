#include "allocators/planner_arena/planner/paged_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "allocators/planner_arena/planner/greedy.h"
#include "allocators/planner_arena/planner/planner.h"

namespace plimsoll {
namespace {

// A plan on pages may be higher than the lowest by one part in so many.
constexpr int64_t kPartToLose = 1000;
// Of a buffer's size, at most, between its end and the end of a page.
constexpr int64_t kPartToWaste = 128;
// The attempt is to cost some milliseconds: a plan that comes late serves fewer steps.
constexpr size_t kMostBuffers = 10'000;

constexpr int64_t kLine = 64;
// Where a colour ends, a page is touched that was not: one in two thousand.
constexpr int64_t kBytesOfColour = int64_t{8} << 20;
// Lower plans stay as low as they are.
constexpr int64_t kLeastToColour = int64_t{64} << 20;

// Alignments that no page is a multiple of stay as they are.
std::vector<Buffer> OnPages(std::vector<Buffer> buffers, int64_t page) {
  for (Buffer& buffer : buffers) {
    if (buffer.size < kLeastToPage || page % buffer.alignment != 0) continue;
    if (AlignUp(buffer.size, page) - buffer.size > buffer.size / kPartToWaste) continue;
    buffer.alignment = page;
  }
  return buffers;
}

// Lines that begin a page share few sets of a cache. So what lies higher begins further into
// its page; blocks that follow each other at one place keep their lines. Nothing comes to
// overlap: the higher of two moves at least as far as the lower.
void Colour(const std::vector<Buffer>& buffers, int64_t page, Plan& plan) {
  if (plan.height < kLeastToColour) return;
  for (const Buffer& buffer : buffers) {
    if (kLine % buffer.alignment != 0) return;
  }
  const int64_t colours = std::min(plan.height / kBytesOfColour + 1, page / kLine);
  const int64_t bytes_of_colour = plan.height / colours + 1;
  const int64_t step = page / colours / kLine * kLine;
  for (int64_t& offset : plan.offsets) offset += step * (offset / bytes_of_colour);
  plan.height = Height(buffers, plan.offsets);
}

}  // namespace

Plan PlanOnPages(const std::vector<Buffer>& buffers, double seconds, int64_t page) {
  if (!CheckBuffers(buffers)) return GreedyBySize(buffers);
  const int64_t bound = LowerBound(buffers);
  const std::vector<Buffer> on_pages = OnPages(buffers, page);
  if (bound > 0 && buffers.size() <= kMostBuffers && CheckBuffers(on_pages)) {
    PlanOptions options;
    options.capacity = bound + bound / kPartToLose;
    options.effort = 0;
    PlanResult planned = MakePlan(on_pages, options).value();
    if (planned.fits == Fits::kYes) {
      Colour(buffers, page, planned.plan);
      return std::move(planned.plan);
    }
  }
  return MakePlan(buffers, {.time_limit = seconds}).value().plan;
}

}  // namespace plimsoll
