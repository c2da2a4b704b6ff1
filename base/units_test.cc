#include "base/units.h"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

TEST(ParseBytes, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseBytes("0").value(), 0u);
  EXPECT_EQ(ParseBytes("512").value(), 512u);
  EXPECT_EQ(ParseBytes("64 B").value(), 64u);
  EXPECT_EQ(ParseBytes("450 MiB").value(), 450_MiB);
  EXPECT_EQ(ParseBytes("8G").value(), 8_GiB);
  EXPECT_EQ(ParseBytes("8gib").value(), 8_GiB);
  EXPECT_EQ(ParseBytes("20 KB").value(), 20000u);
  EXPECT_EQ(ParseBytes("1.5 KiB").value(), 1536u);
  EXPECT_EQ(ParseBytes("9223372036854775807").value(), 9223372036854775807u);
}

TEST(ParseBytes, RefusesTheRestAndSaysWhatIsAllowed) {
  for (const char* text : {"", " 1", "-1", "-0", "nan", "inf", "1.5", "12 furlongs", "5 MiB/s", "B",
                           "9223372036854775808", "9000000 TiB", "1e400", "1 ", "1  B"}) {
    const Expected<uint64_t> parsed = ParseBytes(text);
    ASSERT_FALSE(parsed.has_value()) << text << " gave " << *parsed;
    EXPECT_NE(parsed.error().message.find(std::string("'") + text + "'"), std::string::npos);
    EXPECT_NE(parsed.error().message.find("450 MiB"), std::string::npos);
  }
}

TEST(FormatBytes, KeepsThreeDigits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(0.25), "0.25 B");
  EXPECT_EQ(FormatBytes(64), "64 B");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(1023.9 * 1024), "1.00 MiB");
  EXPECT_EQ(FormatBytes(97.5 * 1024 * 1024), "97.5 MiB");
  EXPECT_EQ(FormatBytes(450.0 * 1024 * 1024), "450 MiB");
  EXPECT_EQ(FormatBytes(-2048), "-2.00 KiB");
}

TEST(BadValue, LeavesEmptyPartsOut) {
  EXPECT_EQ(BadValue("a.yaml:4", "lines.fds", "x", "expected a count").value().message,
            "a.yaml:4: lines.fds: 'x': expected a count");
  EXPECT_EQ(BadValue("", "fds", "x", "expected a count").value().message,
            "fds: 'x': expected a count");
}

}  // namespace
}  // namespace plimsoll
