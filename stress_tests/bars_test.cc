#include "stress_tests/bars.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace plimsoll {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(BarsTest, HoldAtTheirLimitAndNotBeyond) {
  EXPECT_TRUE(AtMost("a", 10, "ms", 10, "").holds);
  EXPECT_FALSE(AtMost("a", 10.1, "ms", 10, "").holds);
  EXPECT_TRUE(AtLeast("a", 10, "x", 10, "").holds);
  EXPECT_FALSE(AtLeast("a", 9.9, "x", 10, "").holds);
  EXPECT_TRUE(Figure("a", 1e9, "x", "").holds);
}

TEST(BarsTest, ATableNamesWhatDoesNotHold) {
  const std::string table =
      RenderBars({AtMost("height", 1048577, "bytes", 1048576, "of a plan"),
                  AtLeast("ratio", 1.23456, "x", 1.2, ""), Figure("beside", 7, "ms", "")});
  EXPECT_THAT(table, ContainsRegex("height +1048577 bytes +<= 1048576 +DOES NOT HOLD\n"));
  EXPECT_THAT(table, ContainsRegex("ratio +1.235 x +>= 1.2 +holds\n"));
  EXPECT_THAT(table, Not(HasSubstr("of a plan")));
  EXPECT_THAT(table, ContainsRegex("beside +7 ms *\n"));
}

TEST(BarsTest, JsonHasNullWhereThereIsNoLimit) {
  const auto json = nlohmann::json::parse(BarsToJson(
      Context(), {AtMost("height", 2, "bytes", 1, "of a plan"), Figure("beside", 7, "ms", "")}));
  EXPECT_EQ(json.at("kind"), "bars");
  EXPECT_EQ(json.at("bars").at(0).at("limit"), "<= 1");
  EXPECT_EQ(json.at("bars").at(0).at("holds"), false);
  EXPECT_EQ(json.at("bars").at(0).at("detail"), "of a plan");
  EXPECT_TRUE(json.at("bars").at(1).at("limit").is_null());
  EXPECT_TRUE(json.at("bars").at(1).at("holds").is_null());
}

}  // namespace
}  // namespace plimsoll
