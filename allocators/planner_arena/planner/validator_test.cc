#include "allocators/planner_arena/planner/validator.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace plimsoll {
namespace {

std::string Verdict(const std::vector<Buffer>& buffers, const std::vector<int64_t>& offsets,
                    int64_t capacity) {
  const Status status = ValidateOffsets(buffers, offsets, capacity);
  return status ? "valid" : status.error().message;
}

TEST(ValidatorTest, AcceptsTouchingBuffers) {
  EXPECT_EQ(Verdict({{0, 5, 4}, {2, 7, 4}, {5, 9, 4}}, {0, 4, 0}, 8), "valid");
  EXPECT_EQ(Verdict({}, {}, 0), "valid");
}

TEST(ValidatorTest, AcceptsEmptyBuffersAnywhere) {
  EXPECT_EQ(Verdict({{0, 5, 4}, {0, 5, 0}}, {0, 2}, 4), "valid");
}

TEST(ValidatorTest, NamesTheOverlap) {
  EXPECT_EQ(Verdict({{0, 5, 4}, {4, 7, 4}}, {0, 3}, 8),
            "plan: buffer 1 (lifetime [4, 7), bytes [3, 7)) overlaps buffer 0 (lifetime [0, 5), "
            "bytes [0, 4))");
  EXPECT_NE(Verdict({{0, 5, 4}, {4, 7, 4}}, {3, 0}, 8), "valid");
  EXPECT_NE(Verdict({{0, 5, 4}, {0, 5, 4}}, {0, 0}, 8), "valid");
}

TEST(ValidatorTest, NamesWhatIsBeyondTheCapacity) {
  EXPECT_EQ(Verdict({{0, 5, 4}}, {5}, 8),
            "plan: buffer 0 (lifetime [0, 5), bytes [5, 9)): beyond the capacity of 8 bytes");
}

TEST(ValidatorTest, RefusesBadOffsets) {
  EXPECT_EQ(Verdict({{0, 5, 4}}, {}, 8), "plan: 0 offsets for 1 buffers");
  EXPECT_EQ(Verdict({{0, 5, 4}}, {-4}, 8),
            "plan: buffer 0 (lifetime [0, 5), bytes [-4, 0)): negative offset");
  EXPECT_EQ(Verdict({{0, 5, 4, 8}}, {4}, 8),
            "plan: buffer 0 (lifetime [0, 5), bytes [4, 8)): offset is no multiple of 8");
}

TEST(ValidatorTest, AgreesWithEveryPairChecked) {
  std::mt19937_64 random(7);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<Buffer> buffers(2 + below(4));
    std::vector<int64_t> offsets;
    bool disjoint = true;
    for (Buffer& b : buffers) {
      b.lower = below(8);
      b.upper = b.lower + 1 + below(4);
      b.size = 1 + below(4);
      offsets.push_back(below(9));
    }
    for (size_t i = 0; i < buffers.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        const bool time =
            buffers[i].lower < buffers[j].upper && buffers[j].lower < buffers[i].upper;
        const bool bytes =
            offsets[i] < offsets[j] + buffers[j].size && offsets[j] < offsets[i] + buffers[i].size;
        disjoint = disjoint && !(time && bytes);
      }
    }
    ASSERT_EQ(Verdict(buffers, offsets, 100) == "valid", disjoint) << "round " << round;
    accepted += disjoint;
  }
  EXPECT_GT(accepted, 400);  // both answers were tried
  EXPECT_LT(accepted, 3600);
}

}  // namespace
}  // namespace plimsoll
