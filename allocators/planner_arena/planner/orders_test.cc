#include "allocators/planner_arena/planner/orders.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace plimsoll {
namespace {

using Order = std::vector<int32_t>;

// Items 0 to 3 in the order of their begins: sections {0, 1} with 9, {1, 2} with 12,
// {1, 3} with 7 bytes.
Part ThreeSections() {
  return MakePacking({{0, 2, 4}, {1, 9, 5}, {3, 4, 7}, {6, 8, 2}}).parts.at(0);
}

TEST(OrdersTest, SortsByEachKeyThenByIndex) {
  const Part part = ThreeSections();
  ASSERT_EQ(part.totals, (std::vector<int64_t>{9, 12, 7}));
  EXPECT_EQ(OrderBy(part, "T"), (Order{1, 2, 0, 3}));
  EXPECT_EQ(OrderBy(part, "W"), (Order{1, 0, 3, 2}));
  EXPECT_EQ(OrderBy(part, "A"), (Order{1, 0, 2, 3}));
  EXPECT_EQ(OrderBy(part, "Z"), (Order{2, 1, 0, 3}));
  EXPECT_EQ(OrderBy(part, "N"), (Order{1, 0, 2, 3}));
  EXPECT_EQ(OrderBy(part, "TZ"), (Order{2, 1, 0, 3}));
}

TEST(OrdersTest, GreatestTotalOverManySections) {
  std::vector<Buffer> buffers = {{0, 100, 1}, {30, 70, 1}, {0, 40, 1}, {60, 100, 1}};
  for (int64_t t = 0; t < 100; t += 10) buffers.push_back({t, t + 5, t == 50 ? 90 : 1});
  const Part part = MakePacking(buffers).parts.at(0);
  const Order order = OrderBy(part, "T");
  // The first three are those that live at 50.
  std::vector<int32_t> ids;
  for (int k = 0; k < 3; ++k) ids.push_back(part.ids[order[k]]);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, (Order{0, 1, 9}));
}

}  // namespace
}  // namespace plimsoll
