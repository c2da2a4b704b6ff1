#include "harness/report/junit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pugixml.hpp>

#include "harness/report/examples.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;

pugi::xml_document Parsed(const std::vector<CaseResult>& cases) {
  pugi::xml_document document;
  const std::string text = RenderJunit(ExampleContext(), cases);
  const pugi::xml_parse_result result = document.load_string(text.c_str());
  EXPECT_TRUE(result) << result.description() << "\n" << text;
  return document;
}

std::string Attribute(const pugi::xml_document& document, const std::string& xpath) {
  return document.select_node(xpath.c_str()).attribute().value();
}

TEST(RenderJunit, SuitePerScenarioWithItsCounts) {
  const pugi::xml_document document = Parsed(ExampleCases());
  EXPECT_EQ(Attribute(document, "/testsuites/@tests"), "7");
  EXPECT_EQ(Attribute(document, "/testsuites/@failures"), "4");
  EXPECT_EQ(Attribute(document, "/testsuites/@errors"), "1");
  EXPECT_EQ(Attribute(document, "/testsuites/@skipped"), "1");
  EXPECT_EQ(Attribute(document, "/testsuites/@time"), "76.500");
  EXPECT_EQ(document.select_nodes("/testsuites/testsuite").size(), 6u);
  // Both cases of 'train', which do not follow each other.
  const std::string train = "/testsuites/testsuite[@name='train']";
  EXPECT_EQ(Attribute(document, train + "/@tests"), "2");
  EXPECT_EQ(Attribute(document, train + "/@failures"), "1");
  EXPECT_EQ(Attribute(document, train + "/@skipped"), "1");
  EXPECT_EQ(Attribute(document, train + "/@timestamp"), "2026-11-21T08:15:00Z");
  EXPECT_EQ(Attribute(document, train + "/testcase[1]/@name"), "torch/planner_arena/glibc+trim");
  EXPECT_EQ(Attribute(document, train + "/testcase[1]/@classname"), "train");
  EXPECT_EQ(Attribute(document, train + "/testcase[2]/skipped/@message"),
            "libmimalloc.so.2 is not installed (package libmimalloc2.0)");
  EXPECT_EQ(Attribute(document, train + "/properties/property[@name='commit']/@value"),
            ExampleContext().commit);
}

TEST(RenderJunit, VerdictsAreFailuresAndErrors) {
  const pugi::xml_document document = Parsed(ExampleCases());
  const auto type = [&](const std::string& scenario, const std::string& kind) {
    return Attribute(document, "//testcase[@classname='" + scenario + "']/" + kind + "/@type");
  };
  EXPECT_EQ(type("planted", "failure"), "LEAK");
  EXPECT_EQ(type("train_shapes", "failure"), "GROWING");
  EXPECT_EQ(type("train", "failure"), "OVER");
  EXPECT_EQ(type("slow", "failure"), "INCONCLUSIVE");
  EXPECT_EQ(type("crash", "error"), "ERROR");
  const pugi::xml_node clean =
      document.select_node("//testcase[@classname='recompile_resnet50']").node();
  EXPECT_FALSE(clean.child("failure") || clean.child("error") || clean.child("skipped"));
  EXPECT_EQ(Attribute(document,
                      "//testcase[@classname='recompile_resnet50']/properties/property[@name="
                      "'minimum_detectable_one_in_iterations']/@value"),
            "34");
}

TEST(RenderJunit, FailureCarriesTheStack) {
  const pugi::xml_document document = Parsed(ExampleCases());
  const pugi::xml_node failure =
      document.select_node("//testcase[@classname='planted']/failure").node();
  EXPECT_THAT(failure.attribute("message").value(), HasSubstr("64 B per iteration"));
  EXPECT_THAT(failure.text().get(), HasSubstr("#0 std::map<int, Entry>::emplace<int&>"));
}

TEST(RenderJunit, AnythingAProgramPrintsIsValidXml) {
  CaseResult result;
  result.scenario = "a<b>&\"'\x01\xFF";
  result.name = result.scenario + "/x";
  result.verdict = Verdict::kError;
  result.reason = "]]> \x1b[31m & <tag attribute=\"1\">\nsecond";
  result.last_output = {std::string("\0\x08\xC3", 3), "]]>"};
  const pugi::xml_document document = Parsed({result});
  EXPECT_EQ(Attribute(document, "//testsuite/@name"), "a<b>&\"'?\xEF\xBF\xBD");
  EXPECT_EQ(Attribute(document, "//testcase/@name"), "x");
  EXPECT_THAT(document.select_node("//error").node().text().get(), HasSubstr("| ]]>"));
  const std::string text = RenderJunit(ExampleContext(), {result});
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
  }
  EXPECT_EQ(text.find("&#x"), std::string::npos);
}

TEST(RenderJunit, NoCasesIsAnEmptySuiteOfSuites) {
  EXPECT_EQ(Attribute(Parsed({}), "/testsuites/@tests"), "0");
}

}  // namespace
}  // namespace plimsoll
