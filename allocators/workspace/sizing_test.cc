#include "allocators/workspace/sizing.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;

WorkspaceConfiguration Built(const Builder& builder) { return builder.Build().value(); }

TEST(InitialCapacity, GrowsOnceThenClamps) {
  EXPECT_EQ(InitialCapacity(Built(Builder().InitialSize(1024).OverallocationLimit(1.0))), 2048u);
  EXPECT_EQ(
      InitialCapacity(Built(Builder().InitialSize(1024).OverallocationLimit(1.0).MaxSize(1500))),
      1500u);
  EXPECT_EQ(
      InitialCapacity(Built(Builder().InitialSize(1024).Allocation(AllocationPolicy::kStrict))),
      1024u);
  EXPECT_EQ(InitialCapacity(Built(Builder().MinSize(4096))), 0u);
}

TEST(LearnedCapacity, GrowsThenRaisesToMinThenClampsToMax) {
  const Builder builder = Builder().OverallocationLimit(0.5);
  EXPECT_EQ(LearnedCapacity(Built(builder), 800), 1200u);
  EXPECT_EQ(LearnedCapacity(Built(Builder(builder).MinSize(2000)), 800), 2000u);
  EXPECT_EQ(LearnedCapacity(Built(Builder(builder).MaxSize(1000)), 800), 1000u);
  EXPECT_EQ(LearnedCapacity(Built(Builder(builder).MinSize(2000)), 0), 0u);
}

TEST(LearnedCapacity, ReachesExactlyMaxEvenWhenUnaligned) {
  const WorkspaceConfiguration c = Built(Builder().MaxSize(1001).Alignment(64));
  EXPECT_EQ(LearnedCapacity(c, 1000), 1001u);
  EXPECT_EQ(LearnedCapacity(c, uint64_t{1} << 50), 1001u);
}

TEST(CircularBlock, Is1Point3TimesTheLargestCycleAligned) {
  const Builder circular =
      Builder().Reset(ResetPolicy::kEndOfBufferReached).OverallocationLimit(4.0);
  EXPECT_EQ(CircularBlock(Built(circular), 4000), 5200u);
  EXPECT_EQ(CircularBlock(Built(circular), 4001), 5208u);
  EXPECT_EQ(CircularBlock(Built(Builder(circular).Alignment(64)), 4000), 5248u);
  EXPECT_EQ(LearnedCapacity(Built(circular), 4000), 5 * 5200u);
  EXPECT_EQ(CyclesPerStep(Built(circular)), 5u);
  EXPECT_EQ(CyclesPerStep(Built(Builder(circular).Allocation(AllocationPolicy::kStrict))), 1u);
}

TEST(LearnedCapacity, SaturatesInsteadOfWrapping) {
  const WorkspaceConfiguration c = Built(Builder().OverallocationLimit(1e300));
  EXPECT_EQ(LearnedCapacity(c, 8), static_cast<uint64_t>(INT64_MAX));
  EXPECT_EQ(LearnedCapacity(Built(Builder()), static_cast<uint64_t>(INT64_MAX) - 1),
            static_cast<uint64_t>(INT64_MAX));
}

TEST(LearnedCapacity, IsNotShortOfAnExactShare) {
  // As doubles, 720 * 0.7 is a little less than 504: truncation would lose 8 bytes.
  EXPECT_EQ(LearnedCapacity(Built(Builder().OverallocationLimit(0.7)), 720), 1224u);
  EXPECT_EQ(LearnedCapacity(Built(Builder().OverallocationLimit(0.1)), 80), 88u);
}

}  // namespace
}  // namespace plimsoll
