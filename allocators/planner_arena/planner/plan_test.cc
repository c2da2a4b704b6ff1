#include "allocators/planner_arena/planner/plan.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace plimsoll {
namespace {

TEST(PlanTest, LowerBoundIsTheLargestLiveSum) {
  EXPECT_EQ(LowerBound({}), 0);
  EXPECT_EQ(LowerBound({{0, 10, 5}, {3, 7, 4}, {7, 9, 6}}), 11);
}

TEST(PlanTest, ABufferIsNotLiveAtItsUpperEnd) { EXPECT_EQ(LowerBound({{0, 5, 3}, {5, 9, 4}}), 4); }

TEST(PlanTest, HeightIgnoresEmptyBuffers) {
  EXPECT_EQ(Height({{0, 1, 8}, {0, 1, 0}}, {16, 4096}), 24);
  EXPECT_EQ(Height({}, {}), 0);
}

std::string Complaint(const std::vector<Buffer>& buffers) {
  const Status status = CheckBuffers(buffers);
  return status ? "" : status.error().message;
}

TEST(PlanTest, CheckNamesBufferAndField) {
  EXPECT_EQ(Complaint({{0, 1, 8}, {-5, 0, 0, 64}}), "");
  EXPECT_EQ(Complaint({{0, 1, 8}, {4, 4, 8}}),
            "buffer 1: upper: '4': expected more than lower, which is 4");
  EXPECT_EQ(Complaint({{0, 1, -8}}), "buffer 0: size: '-8': expected >= 0");
  EXPECT_EQ(Complaint({{0, 1, 8, 0}}), "buffer 0: alignment: '0': expected >= 1");
}

TEST(PlanTest, CheckRefusesTimesThatCouldOverflow) {
  const int64_t limit = int64_t{1} << 62;
  EXPECT_EQ(Complaint({{1 - limit, limit - 1, 8}}), "");
  EXPECT_EQ(Complaint({{INT64_MIN, 4, 8}}),
            "buffer 0: lower: '-9223372036854775808': expected > -2^62");
  EXPECT_EQ(Complaint({{0, limit, 8}}), "buffer 0: upper: '4611686018427387904': expected < 2^62");
}

TEST(PlanTest, CheckRefusesSumsThatCouldOverflow) {
  const int64_t half = int64_t{1} << 61;
  EXPECT_EQ(Complaint({{0, 1, half - 1}}), "");
  EXPECT_NE(Complaint({{0, 1, half}, {0, 1, half}}), "");
  EXPECT_NE(Complaint({{0, 1, INT64_MAX, INT64_MAX}}), "");
  EXPECT_NE(Complaint({{0, 1, 1, INT64_MAX}}), "");
}

}  // namespace
}  // namespace plimsoll
