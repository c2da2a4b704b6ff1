#include "harness/report/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"
#include "harness/report/examples.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the shipped schema has against a document, one complaint a line.
std::string Complaints(const json& document) {
  static const auto& schema = *[] {
    auto* parsed = new valijson::Schema;
    const json text = json::parse(ReadFile("results/schema.json").value());
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(text), *parsed);
    return parsed;
  }();
  valijson::ValidationResults results;
  valijson::Validator().validate(schema, valijson::adapters::NlohmannJsonAdapter(document),
                                 &results);
  std::string complaints;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    for (const std::string& part : error.context) complaints += part;
    complaints += ": " + error.description + "\n";
  }
  return complaints;
}

json Rendered() { return json::parse(RenderJson(ExampleContext(), ExampleCases())); }

TEST(RenderJson, FollowsTheShippedSchema) {
  EXPECT_EQ(Complaints(Rendered()), "");
  EXPECT_EQ(Complaints(json::parse(RenderJson(ThisContext(".", 1), {}))), "");
}

TEST(RenderJson, SchemaNoticesWhatIsMissingOrAdded) {
  const auto broken = [](const std::string& pointer, const json& value) {
    json document = Rendered();
    document[json::json_pointer(pointer)] = value;
    return Complaints(document);
  };
  EXPECT_NE(broken("/schema_version", 2), "");
  EXPECT_NE(broken("/more", 1), "");
  EXPECT_NE(broken("/context/date", "yesterday"), "");
  EXPECT_NE(broken("/cases/0/verdict", "FINE"), "");
  EXPECT_NE(broken("/cases/0/peak/rss_bytes", -1), "");
  EXPECT_NE(broken("/cases/0/iterations", nullptr), "");
  EXPECT_NE(broken("/cases/1/sites/0/kind", "heapp"), "");
  EXPECT_NE(broken("/cases/0/samples/iteration/0", nullptr), "");
  json document = Rendered();
  document["cases"][0].erase("growth");
  EXPECT_NE(Complaints(document), "");
}

TEST(RenderJson, IsInTheHousePlansShape) {
  const json document = Rendered();
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["context"]["fingerprint"]["page_size_bytes"], 4096);
  EXPECT_EQ(document["context"]["fingerprint"]["sanitizer"], nullptr);
  const json& clean = document["cases"][0];
  EXPECT_EQ(clean["name"], "recompile_resnet50/opencv/system/glibc");
  EXPECT_EQ(clean["verdict"], "CLEAN");
  EXPECT_EQ(
      clean["growth"]["minimum_detectable"],
      json({{"bytes_per_iteration", 1.0}, {"one_in_iterations", 34.0}, {"confidence", 0.95}}));
  EXPECT_EQ(clean["peak"]["rss_bytes"], 312 << 20);
  EXPECT_EQ(clean["samples"]["iteration"].size(), 136u);
  EXPECT_EQ(clean["samples"]["live_heap_bytes"][5], 144739);
  EXPECT_EQ(clean["lines"][0], json({{"metric", "peak_rss_bytes"},
                                     {"value", 312.0 * (1 << 20)},
                                     {"limit", 450.0 * (1 << 20)},
                                     {"source", "script"},
                                     {"holds", true}}));
  EXPECT_EQ(document["cases"][1]["sites"][0]["stack"][1],
            "Cache::Remember(int) (corpus/cache.cc:42)");
}

TEST(RenderJson, AbsentIsNullNeverZero) {
  const json document = Rendered();
  const json& over = document["cases"][3];
  EXPECT_EQ(over["peak"]["rss_anon_bytes"], nullptr);
  EXPECT_EQ(over["peak"]["page_faults_per_iteration"], nullptr);
  EXPECT_EQ(over["lines"][1]["value"], nullptr);
  EXPECT_EQ(document["cases"][4]["growth"], nullptr);
  EXPECT_EQ(document["cases"][6]["verdict"], nullptr);
  EXPECT_EQ(document["cases"][6]["skipped"], true);
  CaseResult result;
  result.samples.resize(2);
  const json samples = json::parse(RenderJson({}, {result}))["cases"][0]["samples"];
  EXPECT_EQ(samples["live_heap_bytes"], json({nullptr, nullptr}));
  EXPECT_EQ(samples["rss_anon_bytes"], json({nullptr, nullptr}));
}

TEST(RenderJson, OddBytesAndNumbersStayJson) {
  CaseResult result;
  result.name = "a\xFF\x01\"";
  result.verdict = Verdict::kLeak;
  result.seconds = std::nan("");
  result.growth.bytes_per_iteration = INFINITY;
  result.last_output = {"\xC3"};
  const json document = json::parse(RenderJson(ExampleContext(), {result}));
  EXPECT_EQ(document["cases"][0]["name"], "a\xEF\xBF\xBD\x01\"");
  EXPECT_EQ(document["cases"][0]["seconds"], nullptr);
  EXPECT_EQ(document["cases"][0]["growth"]["bytes_per_iteration"], nullptr);
  EXPECT_EQ(Complaints(document), "");
}

TEST(RenderJson, ColumnsOfSamplesStandOnOneLine) {
  const std::string text = RenderJson(ExampleContext(), ExampleCases());
  EXPECT_THAT(text, HasSubstr("\n    \"threads\": [4,4,4,"));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 400);
}

TEST(ReadJson, GivesBackWhatWasWritten) {
  const std::string text = RenderJson(ExampleContext(), ExampleCases());
  const Expected<Results> results = ParseResults(text, "r.json");
  ASSERT_TRUE(results.has_value()) << results.error().message;
  EXPECT_EQ(results->context.fingerprint, ExampleContext().fingerprint);
  ASSERT_EQ(results->cases.size(), 7u);
  EXPECT_EQ(results->cases[1].sites[0].kind, ResourceKind::kHeap);
  EXPECT_EQ(results->cases[1].verdict, Verdict::kLeak);
  EXPECT_EQ(results->cases[0].samples[3].process.minor_faults, 5000u + 4 * 1200);
  EXPECT_TRUE(results->cases[6].skipped);
  // Nothing at all is lost: written again, it is the same text.
  EXPECT_EQ(RenderJson(results->context, results->cases), text);
}

TEST(ReadJson, NamesTheFilePlaceValueAndWhatIsAllowed) {
  const auto message = [](const std::string& pointer, const json& value) -> std::string {
    json document = Rendered();
    document[json::json_pointer(pointer)] = value;
    const Expected<Results> results = ParseResults(document.dump(), "r.json");
    return results ? "accepted" : results.error().message;
  };
  EXPECT_EQ(message("/schema_version", 2), "r.json: schema_version: '2': expected 1");
  EXPECT_EQ(message("/cases/1/verdict", "FINE"),
            "r.json: cases[1].verdict: '\"FINE\"': expected CLEAN or LEAK or GROWING or OVER or "
            "INCONCLUSIVE or ERROR");
  EXPECT_EQ(message("/cases/1/sites/0/kind", 3),
            "r.json: cases[1].sites[0].kind: '3': expected a string");
  EXPECT_EQ(message("/cases/0/iterations", -4),
            "r.json: cases[0].iterations: '-4': expected a whole number of 0 or more");
  EXPECT_EQ(message("/cases/0/iterations", 5000000000),
            "r.json: cases[0].iterations: '5000000000': expected a whole number below 2^32");
  EXPECT_EQ(message("/cases/0/skipped", 1),
            "r.json: cases[0].skipped: '1': expected true or false");
  EXPECT_EQ(message("/cases/0/lines/0/limit", "x"),
            "r.json: cases[0].lines[0].limit: '\"x\"': expected a number");
  EXPECT_EQ(message("/cases", 1), "r.json: cases: '1': expected an array");
  EXPECT_EQ(message("/cases/0/samples/threads", json::array()),
            "r.json: cases[0].samples.threads: '[]': expected as many values as in 'iteration'");
  EXPECT_EQ(message("/context", nullptr), "r.json: context.date: 'missing': expected a string");
  EXPECT_EQ(message("/unknown", 1), "accepted");
}

TEST(ReadJson, SurvivesTruncation) {
  const std::string text = RenderJson(ExampleContext(), ExampleCases());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, text.size() / 2, text.size() - 3}) {
    const Expected<Results> results = ParseResults(text.substr(0, size), "r.json");
    ASSERT_FALSE(results.has_value());
    EXPECT_THAT(results.error().message, StartsWith("r.json: parse error at line"));
    EXPECT_EQ(results.error().message.find('\n'), std::string::npos);
  }
  for (const char* other : {"null", "[]", "7", "{}"}) {
    EXPECT_FALSE(ParseResults(other, "r.json").has_value()) << other;
  }
}

TEST(ReadJson, FilesAreReplacedAsAWhole) {
  const std::string path = testing::TempDir() + "/json_test.json";
  ASSERT_TRUE(WriteJson(path, ExampleContext(), ExampleCases()));
  EXPECT_EQ(ReadJson(path)->cases.size(), 7u);
  EXPECT_EQ(ReadJson(path + ".none").error().message,
            path + ".none: open: No such file or directory");
  EXPECT_EQ(WriteJson("/dev/full", ExampleContext(), {}).error().message,
            "/dev/full: write: No space left on device");
}

}  // namespace
}  // namespace plimsoll
