#include "allocators/planner_arena/planner/merge.h"

#include <gtest/gtest.h>

#include <vector>

#include "allocators/planner_arena/planner/greedy.h"
#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/validator.h"

namespace plimsoll {
namespace {

TEST(MergeTest, StacksAndChains) {
  // The first two are one lifetime; stacked, they are as large as the third, which follows.
  const Part part = MakePacking({{0, 4, 1}, {0, 4, 2}, {4, 9, 3}, {0, 9, 5}}).parts.at(0);
  const Merge merge(part, Merge::Chains::kAlone);
  ASSERT_EQ(merge.buffers().size(), 1u);
  EXPECT_EQ(merge.buffers()[0].size, 8);
  std::vector<Buffer> items;
  for (const Item& item : part.items) items.push_back({item.first, item.last, item.size});
  const std::vector<int64_t> offsets = merge.Expand({100});
  EXPECT_EQ(Height(items, offsets), 108);
  EXPECT_TRUE(ValidateOffsets(items, offsets, 108));
}

TEST(MergeTest, LeavesChoicesAlone) {
  // Two end and two begin at 4, of the same sizes only where one is of 4 bytes.
  const Part part =
      MakePacking({{0, 4, 3}, {2, 4, 4}, {0, 1, 1}, {4, 8, 5}, {4, 9, 4}, {8, 9, 1}, {0, 9, 5}})
          .parts.at(0);
  EXPECT_EQ(Merge(part, Merge::Chains::kAlone).buffers().size(), 7u);
  EXPECT_EQ(Merge(part, Merge::Chains::kAny).buffers().size(), 6u);
}

TEST(MergeTest, OneEndAndTwoBeginsAreAChoice) {
  const Part part =
      MakePacking({{0, 4, 9}, {4, 8, 5}, {4, 9, 9}, {8, 9, 2}, {0, 9, 5}}).parts.at(0);
  EXPECT_EQ(Merge(part, Merge::Chains::kAlone).buffers().size(), 5u);
  // The two of 9 bytes, and the longest on top of them.
  EXPECT_EQ(Merge(part, Merge::Chains::kAny).buffers().size(), 3u);
}

TEST(MergeTest, KeepsAlignedItemsApart) {
  const Part part = MakePacking({{0, 4, 3, 2}, {0, 4, 3, 2}}).parts.at(0);
  EXPECT_EQ(Merge(part, Merge::Chains::kAny).buffers().size(), 2u);
}

TEST(MergeTest, TakesGuillotineTilesApart) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    for (const Part& part : MakePacking(PerfectTiles(500, Cuts::kGuillotine, seed)).parts) {
      EXPECT_EQ(Merge(part, Merge::Chains::kAlone).buffers().size(), 1u);
    }
  }
}

TEST(MergeTest, PlansOfTheMergedArePlansOfAll) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    for (const std::vector<Buffer>& buffers : {PerfectTiles(200, Cuts::kPinwheels, seed),
                                               TraceLike(300, seed), RandomBuffers(300, seed)}) {
      const Packing packing = MakePacking(buffers);
      for (const Part& part : packing.parts) {
        for (const auto chains : {Merge::Chains::kAlone, Merge::Chains::kAny}) {
          const Merge merge(part, chains);
          ASSERT_TRUE(CheckBuffers(merge.buffers()));
          EXPECT_EQ(LowerBound(merge.buffers()), part.lower_bound);
          const Plan plan = GreedyBySize(merge.buffers());
          std::vector<int64_t> offsets = merge.Expand(plan.offsets);
          std::vector<Buffer> of_part;
          for (size_t i = 0; i < part.ids.size(); ++i) {
            of_part.push_back(buffers[static_cast<size_t>(part.ids[i])]);
            offsets[i] *= packing.unit;
          }
          const Status valid = ValidateOffsets(of_part, offsets, plan.height * packing.unit);
          EXPECT_TRUE(valid) << valid.error().message;
        }
      }
    }
  }
}

}  // namespace
}  // namespace plimsoll
