#include "scenarios/engines/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Write(const std::string& contents) {
  const std::string path = ::testing::TempDir() + "/config_test.json";
  std::ofstream(path) << contents;
  return path;
}

std::string ErrorOf(const std::string& contents) {
  const auto config = LoadEngineConfig(Write(contents));
  return config ? "no error" : config.error().message;
}

TEST(ConfigTest, ReadsACase) {
  const auto config = LoadEngineConfig(Write(R"({
      "scenario": "s", "engine": "e", "allocator": "a", "model": ["m", "n"],
      "setup": ["build"], "iteration": ["compile", {"infer": 2}], "knobs": {"threads": 2}})"));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->scenario, "s");
  EXPECT_EQ(config->engine, "e");
  EXPECT_EQ(config->allocator, "a");
  EXPECT_THAT(config->models, ElementsAre("m", "n"));
  EXPECT_EQ(config->setup.size(), 1u);
  ASSERT_EQ(config->iteration.size(), 2u);
  EXPECT_EQ(config->iteration[1].name, "infer");
  EXPECT_EQ(config->iteration[1].argument, 2);
  EXPECT_TRUE(config->teardown.empty());
  EXPECT_EQ(config->knobs["threads"], 2);
  EXPECT_TRUE(config->weights.is_null());
  const auto loaded = LoadEngineConfig(
      Write(R"({"iteration": ["a"], "weights": {"loader": "mmap"}, "findings": "f"})"));
  EXPECT_EQ(loaded->weights["loader"], "mmap");
  EXPECT_EQ(loaded->findings, "f");
}

TEST(ConfigTest, RefusesWhatIsWrong) {
  EXPECT_THAT(LoadEngineConfig("/nonexistent").error().message, HasSubstr("No such file"));
  EXPECT_THAT(ErrorOf("[1"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("at least one step"));
  EXPECT_THAT(ErrorOf(R"({"iteration": [], "oops": 1})"), HasSubstr("oops: '1': unknown"));
  EXPECT_THAT(ErrorOf(R"({"iteration": "infer"})"), HasSubstr("expected a list of steps"));
  EXPECT_THAT(ErrorOf(R"({"iteration": [{"a": 1, "b": 2}]})"), HasSubstr("iteration[0]"));
  EXPECT_THAT(ErrorOf(R"({"iteration": ["x"], "model": 3})"), HasSubstr("model: '3'"));
  EXPECT_THAT(ErrorOf(R"({"iteration": ["x"], "knobs": 3})"), HasSubstr("knobs: '3'"));
}

TEST(FieldReaderTest, ReadsTypesAndDefaults) {
  const json object = {{"i", 3},   {"n", 0.5},     {"f", true},   {"t", "x"},
                       {"c", "b"}, {"s", "2 KiB"}, {"l", {1, 2}}, {"one", 7}};
  FieldReader reader(object, "w");
  EXPECT_EQ(reader.Integer("i", 0, 0, 10), 3);
  EXPECT_EQ(reader.Integer("absent", 5, 0, 10), 5);
  EXPECT_EQ(reader.Number("n", 0, 0, 1), 0.5);
  EXPECT_TRUE(reader.Flag("f", false));
  EXPECT_EQ(reader.Text("t", ""), "x");
  constexpr std::string_view kChoices[] = {"a", "b"};
  EXPECT_EQ(reader.Choice("c", "a", kChoices), "b");
  EXPECT_EQ(reader.Bytes("s", 0, 0, 4096), 2048u);
  EXPECT_THAT(reader.Integers("l", 0, 10), ElementsAre(1, 2));
  EXPECT_THAT(reader.Integers("one", 0, 10), ElementsAre(7));
  EXPECT_TRUE(reader.Finish());
}

TEST(FieldReaderTest, ReportsTheFirstProblem) {
  const auto problem = [](const json& object, auto read) {
    FieldReader reader(object, "w");
    read(reader);
    const Status status = reader.Finish();
    return status ? "no error" : status.error().message;
  };
  const auto integer = [](FieldReader& r) { r.Integer("x", 1, 0, 9); };
  EXPECT_EQ(problem({{"x", 10}}, integer), "w: x: '10': expected an integer from 0 to 9");
  EXPECT_EQ(problem({{"x", -1}}, integer), "w: x: '-1': expected an integer from 0 to 9");
  EXPECT_EQ(problem({{"x", 1.5}}, integer), "w: x: '1.5': expected an integer from 0 to 9");
  EXPECT_EQ(problem({{"x", 18446744073709551615u}}, integer),
            "w: x: '18446744073709551615': expected an integer from 0 to 9");
  EXPECT_EQ(problem({{"y", 1}}, integer), "w: y: '1': unknown; expected x");
  EXPECT_EQ(problem({{"x", "2 furlongs"}}, [](FieldReader& r) { r.Bytes("x", 0, 0, 1024); }),
            "w: x: '2 furlongs': expected a size from 0 B to 1.00 KiB");
  EXPECT_EQ(problem({{"x", {1, 99}}}, [](FieldReader& r) { r.Integers("x", 0, 9); }),
            "w: x: '[1,99]': expected integers from 0 to 9");
  EXPECT_EQ(problem({{"x", "c"}},
                    [](FieldReader& r) {
                      constexpr std::string_view kChoices[] = {"a", "b"};
                      r.Choice("x", "a", kChoices);
                    }),
            "w: x: 'c': expected one of a, b");
}

TEST(FieldReaderTest, AScalarArgumentStandsForItsField) {
  const Step scalar{"infer", 4, "w"}, none{"infer", nullptr, "w"};
  EXPECT_EQ(FieldReader(scalar, "count").Integer("count", 1, 1, 9), 4);
  EXPECT_EQ(FieldReader(none, "count").Integer("count", 1, 1, 9), 1);
  FieldReader unread(scalar, "count");
  EXPECT_EQ(unread.Finish().error().message, "w: count: '4': takes no argument");
}

}  // namespace
}  // namespace plimsoll
