#include "allocators/planner_arena/planner/sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>
#include <vector>

#include "allocators/planner_arena/planner/exhaustive.h"
#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/packing.h"

namespace plimsoll {
namespace {

Part PartOf(const std::vector<int64_t>& sizes) {
  Part part;
  for (const int64_t size : sizes) part.items.push_back({0, 1, size, 1, 1});
  return part;
}

std::set<int64_t> AllSums(const std::vector<int64_t>& sizes) {
  std::set<int64_t> sums = {0};
  for (const int64_t size : sizes) {
    std::set<int64_t> more = sums;
    for (const int64_t sum : sums) more.insert(sum + size);
    sums = more;
  }
  return sums;
}

void ExpectSums(const std::vector<int64_t>& sizes, int64_t most) {
  const std::set<int64_t> all = AllSums(sizes);
  const Sums sums(PartOf(sizes), most);
  for (int64_t units = 0; units <= most; ++units) {
    ASSERT_EQ(sums.AtMost(units), *std::prev(all.upper_bound(units))) << units;
    const auto least = all.lower_bound(units);
    ASSERT_EQ(sums.AtLeast(units), least == all.end() || *least > most ? most + 1 : *least)
        << units;
  }
}

TEST(SumsTest, AreAllSumsOfSomeSizes) {
  ExpectSums({3, 5, 11}, 30);
  ExpectSums({64, 64, 64, 1}, 250);
  ExpectSums({63, 65, 128, 129, 200}, 600);
  ExpectSums({1000, 1000, 1000, 1000, 1000, 1000, 1000, 7, 7, 7, 333}, 8000);
  ExpectSums({}, 100);
}

TEST(SumsTest, BeyondWhatIsKnownAnyNumberMayBeOne) {
  const Sums sums(PartOf({10, 10}), 12);
  EXPECT_EQ(sums.AtLeast(11), 13);
  EXPECT_EQ(sums.AtMost(13), 13);
  const Sums large(PartOf({1 << 20, 1 << 20}), 1 << 21);
  EXPECT_EQ(large.AtLeast(5), 5);
  EXPECT_EQ(large.AtMost(5), 5);
}

TEST(SumsTest, PaddingMayBeOfAnySize) {
  Part part = PartOf({10, 10});
  part.items[0].alignment = 4;
  EXPECT_EQ(Sums(part, 30).AtLeast(11), 11);
  EXPECT_EQ(Sums(part, 30).AtMost(11), 11);
}

// By a solver that knows nothing of sums.
TEST(SumsTest, LowestPlansAreAsHighAsOne) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<Buffer> buffers = TinyBuffers(6, seed, 8, /*aligned=*/false);
    const int64_t least = LeastHeight(buffers);
    int64_t reachable = 0;
    const Packing packing = MakePacking(buffers);
    for (const Part& part : packing.parts) {
      const int64_t height = least / packing.unit;
      reachable = std::max(reachable, Sums(part, height).AtMost(height));
    }
    ASSERT_EQ(reachable * packing.unit, least) << seed;
  }
}

}  // namespace
}  // namespace plimsoll
