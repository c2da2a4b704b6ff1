#include "harness/report/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll {
namespace {

using ::testing::ElementsAre;

TEST(Printable, KeepsTextAndDropsWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x9A\xA2"),
            "plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x9A\xA2");
  EXPECT_EQ(Printable("\x1b[31mred\x7f"), "?[31mred?");
  EXPECT_EQ(Printable("a\tb\nc\r"), "a b?c?");
  EXPECT_EQ(Printable("a\nb", true), "a\nb");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "31m \xC2\xA9"),
            "?31m \xC2\xA9");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "?");
}

TEST(Printable, ReplacesWhatIsNotUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(Printable("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(Printable("\xC3"), bad);
  EXPECT_EQ(Printable("\xE2\x82"), bad + bad);
  EXPECT_EQ(Printable("\xC0\xAF"), bad + bad) << "overlong";
  EXPECT_EQ(Printable("\xE0\x80\xAF"), bad + bad + bad) << "overlong";
  EXPECT_EQ(Printable("\xED\xA0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "above U+10FFFF";
  EXPECT_EQ(Printable("\xF5\x80\x80\x80"), bad + bad + bad + bad);
}

TEST(DisplayWidth, CountsCodePoints) {
  EXPECT_EQ(DisplayWidth(""), 0u);
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("\xE2\x82\xAC\xC3\xA9"), 2u);
}

TEST(Cut, MarksWhatIsMissing) {
  EXPECT_EQ(Cut("abcdef", 6), "abcdef");
  EXPECT_EQ(Cut("abcdef", 5), "abcd~");
  EXPECT_EQ(Cut("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9~");
  EXPECT_EQ(Cut("abc", 0), "");
}

TEST(Wrap, BreaksWhereItMay) {
  EXPECT_THAT(Wrap("one two three", 8, " "), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("one two three", 7, " "), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("aaa/bbb/ccc", 8, "/"), ElementsAre("aaa/bbb/", "ccc"));
  EXPECT_THAT(Wrap("aaaaaaa", 3, " "), ElementsAre("aaa", "aaa", "a"));
  EXPECT_THAT(Wrap("", 3, " "), ElementsAre(""));
  EXPECT_THAT(Wrap("abc   ", 3, " "), ElementsAre("abc"));
  EXPECT_THAT(Wrap("\xC3\xA9\xC3\xA9\xC3\xA9", 2, " "),
              ElementsAre("\xC3\xA9\xC3\xA9", "\xC3\xA9"));
}

TEST(Plural, OneIsSpecial) {
  EXPECT_EQ(Plural(0, "block"), "0 blocks");
  EXPECT_EQ(Plural(1, "block"), "1 block");
  EXPECT_EQ(Plural(0.25, "block"), "0.25 blocks");
  EXPECT_EQ(Plural(1200, "block"), "1200 blocks");
}

}  // namespace
}  // namespace plimsoll
