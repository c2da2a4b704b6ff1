#include "harness/runner/mark_lines.h"

#include <gtest/gtest.h>

#include <string>

namespace plimsoll {
namespace {

TEST(MarkLines, CountsMatchingLinesAcrossPieces) {
  Expected<MarkLines> marks = MarkLines::Make("^step [0-9]+ done");
  ASSERT_TRUE(marks.has_value());
  EXPECT_EQ(marks->Take("loading\nstep 1 do"), 0u);
  EXPECT_EQ(marks->Take("ne\nstep 2 done, loss 3\nstep 3 d"), 2u);
  EXPECT_EQ(marks->Take("ied\nrestep 4 done\n"), 0u);
  EXPECT_EQ(marks->Take("step 5 done"), 0u);
  EXPECT_EQ(marks->Take("\n\n\n"), 1u);
}

TEST(MarkLines, ALineWithoutEndIsBounded) {
  Expected<MarkLines> marks = MarkLines::Make("end$");
  ASSERT_TRUE(marks.has_value());
  EXPECT_EQ(marks->Take(std::string(10'000'000, 'x') + "end\nend\n"), 1u);
}

TEST(MarkLines, ABrokenPatternIsToldWithItsValue) {
  const Expected<MarkLines> marks = MarkLines::Make("step (");
  ASSERT_FALSE(marks.has_value());
  EXPECT_EQ(marks.error().message.find("--mark: 'step (': expected a regular expression"), 0u)
      << marks.error().message;
}

}  // namespace
}  // namespace plimsoll
