#include "allocators/planner_arena/planner/part_greedy.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/orders.h"
#include "allocators/planner_arena/planner/validator.h"

namespace plimsoll {
namespace {

std::vector<std::vector<Buffer>> Problems() {
  std::vector<std::vector<Buffer>> problems;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    problems.push_back(RandomBuffers(static_cast<int32_t>(20 + 7 * seed), seed));
    problems.push_back(TraceLike(static_cast<int32_t>(20 + 7 * seed), seed));
    problems.push_back(PerfectTiles(static_cast<int32_t>(20 + 7 * seed), Cuts::kGuillotine, seed));
    for (size_t i = 0; i < problems[problems.size() - 3].size(); i += 3) {
      problems[problems.size() - 3][i].alignment = 48;
    }
  }
  return problems;
}

Status Validate(const std::vector<Buffer>& buffers, const Packing& packing, const Part& part,
                const PartPlan& plan) {
  std::vector<Buffer> of_part;
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < part.ids.size(); ++i) {
    of_part.push_back(buffers[static_cast<size_t>(part.ids[i])]);
    offsets.push_back(plan.offsets[i] * packing.unit);
  }
  return ValidateOffsets(of_part, offsets, plan.height * packing.unit);
}

TEST(PartGreedyTest, FillGapsIsGreedyInOrder) {
  for (const std::vector<Buffer>& buffers : Problems()) {
    const Packing packing = MakePacking(buffers);
    for (const Fit fit : {Fit::kFirst, Fit::kBest}) {
      for (const Part& part : packing.parts) {
        const std::vector<int32_t> order = OrderBy(part, "ZW");
        std::vector<int32_t> ids;
        for (const int32_t i : order) ids.push_back(part.ids[static_cast<size_t>(i)]);
        const Plan expected = GreedyInOrder(buffers, ids, fit);
        const auto plan = FillGaps(part, order, fit, INT64_MAX, INT64_MAX, Deadline());
        ASSERT_TRUE(plan.has_value());
        for (size_t i = 0; i < part.ids.size(); ++i) {
          ASSERT_EQ(plan->offsets[i] * packing.unit,
                    expected.offsets[static_cast<size_t>(part.ids[i])]);
        }
        EXPECT_EQ(plan->height, PartHeight(part, plan->offsets));
      }
    }
  }
}

TEST(PartGreedyTest, LowestFirstIsValid) {
  for (const std::vector<Buffer>& buffers : Problems()) {
    const Packing packing = MakePacking(buffers);
    for (const Part& part : packing.parts) {
      const auto plan = LowestFirst(part, OrderBy(part, "TWA"), INT64_MAX, Deadline());
      ASSERT_TRUE(plan.has_value());
      const Status valid = Validate(buffers, packing, part, *plan);
      EXPECT_TRUE(valid) << valid.error().message;
    }
  }
}

TEST(PartGreedyTest, LowestFirstTakesTheOrderAmongEquals) {
  const Packing packing = MakePacking({{0, 9, 1}, {0, 9, 2}, {0, 9, 4}});
  const auto plan = LowestFirst(packing.parts[0], {1, 2, 0}, INT64_MAX, Deadline());
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->offsets, (std::vector<int64_t>{6, 0, 2}));
}

TEST(PartGreedyTest, GivesUp) {
  const std::vector<Buffer> buffers = RandomBuffers(1000, 1);
  const Packing packing = MakePacking(buffers);
  const Part& part = packing.parts[0];
  const std::vector<int32_t> order = OrderBy(part, "TWA");
  const Deadline past = Deadline::After(0);
  EXPECT_FALSE(FillGaps(part, order, Fit::kBest, INT64_MAX, INT64_MAX, past));
  EXPECT_FALSE(LowestFirst(part, order, INT64_MAX, past));
  EXPECT_FALSE(FillGaps(part, order, Fit::kBest, part.lower_bound, INT64_MAX, Deadline()));
  EXPECT_FALSE(LowestFirst(part, order, part.lower_bound, Deadline()));
  EXPECT_FALSE(FillGaps(part, order, Fit::kBest, INT64_MAX, 100, Deadline()));
  EXPECT_TRUE(FillGaps(part, order, Fit::kBest, INT64_MAX, INT64_MAX, Deadline()));
}

}  // namespace
}  // namespace plimsoll
