#include "allocators/planner_arena/planner/plan_picture.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

struct Drawn {
  double x, y, width, height;
};

// The rectangles of buffers, in the order of the file.
std::vector<Drawn> RectanglesOf(const std::string& svg) {
  std::vector<Drawn> drawn;
  for (size_t at = svg.find("<rect x="); at != std::string::npos;
       at = svg.find("<rect x=", at + 1)) {
    Drawn d{};
    EXPECT_EQ(std::sscanf(svg.c_str() + at, R"(<rect x="%lf" y="%lf" width="%lf" height="%lf")",
                          &d.x, &d.y, &d.width, &d.height),
              4);
    drawn.push_back(d);
  }
  return drawn;
}

// 1200 wide for ticks 10 to 22, 700 high for 70 bytes: 100 a tick, 10 a byte.
TEST(PlanPictureTest, RectanglesLieWhereBuffersDo) {
  const std::vector<Buffer> buffers = {{10, 14, 50}, {12, 22, 20}, {20, 22, 0}, {14, 20, 30}};
  const std::string svg = DrawPlan(buffers, {{0, 50, 0, 10}, 70, 70});
  const std::vector<Drawn> drawn = RectanglesOf(svg);
  ASSERT_EQ(drawn.size(), 3u);  // nothing to see of 0 bytes
  const Drawn expected[] = {{0, 200, 400, 500}, {200, 0, 1000, 200}, {400, 300, 600, 300}};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(drawn[i].x, expected[i].x, 0.01) << i;
    EXPECT_NEAR(drawn[i].y, expected[i].y, 0.01) << i;
    EXPECT_NEAR(drawn[i].width, expected[i].width, 0.01) << i;
    EXPECT_NEAR(drawn[i].height, expected[i].height, 0.01) << i;
  }
  EXPECT_NE(svg.find("<title>buffer 3: 30 B at 10, live [14, 20)</title>"), std::string::npos);
}

TEST(PlanPictureTest, LabelsAreIds) {
  const std::string svg = DrawPlan({{0, 4, 8}}, {{0}, 8, 8}, {"conv<1>&b"});
  EXPECT_NE(svg.find("<title>buffer conv&lt;1>&amp;b: 8 B at 0"), std::string::npos) << svg;
}

}  // namespace
}  // namespace plimsoll
