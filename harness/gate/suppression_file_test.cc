#include "harness/gate/suppression_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace plimsoll {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string Write(const std::string& text) {
  const std::string path = testing::TempDir() + "/suppressions.yaml";
  EXPECT_TRUE(WriteFile(path, text).has_value());
  return path;
}

std::string ErrorOf(const std::string& text) {
  const auto loaded = LoadSuppressions(Write(text));
  return loaded.has_value() ? "no error" : loaded.error().message;
}

constexpr char kGood[] =
    "suppressions:\n"
    "  - name: opencv-tls\n"
    "    reason: 800 bytes per thread, known upstream\n"
    "    kind: heap\n"
    "    stack: ['cv::TLSDataContainer::getData', 'worker_.*']\n"
    "  - {name: sockets, reason: the pool is ours, stack: [Pool]}\n";

TEST(LoadSuppressions, MatchesKindAndEveryPattern) {
  const auto loaded = LoadSuppressions(Write(kGood));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  ASSERT_EQ(loaded->size(), 2u);
  const Suppression& tls = loaded->front();
  EXPECT_EQ(tls.name, "opencv-tls");
  const std::vector<std::string> stack = {
      "malloc", "cv::TLSDataContainer::getData() const (a.so+1)", "worker_7 (b.cc:3)"};
  EXPECT_TRUE(Matches(tls, ResourceKind::kHeap, stack));
  EXPECT_FALSE(Matches(tls, ResourceKind::kThread, stack));
  EXPECT_FALSE(Matches(tls, ResourceKind::kHeap, {stack[0], stack[1]}));
  EXPECT_FALSE(Matches(tls, ResourceKind::kHeap, {}));
  EXPECT_TRUE(Matches((*loaded)[1], ResourceKind::kDescriptor, {"Pool::Connect"}));
}

TEST(LoadSuppressions, ErrorsNameFileLineFieldAndValue) {
  EXPECT_THAT(LoadSuppressions("/no/such/file").error().message,
              HasSubstr("/no/such/file: cannot read"));
  EXPECT_THAT(ErrorOf("suppressions: 3\n"), HasSubstr("yaml:1: suppressions: '': expected a list"));
  EXPECT_THAT(ErrorOf("suppressions:\n  - name: a\n    stack: [x]\n"),
              HasSubstr("yaml:2: reason: '': expected a text"));
  EXPECT_THAT(ErrorOf("suppressions:\n  - {name: a, reason: b}\n"),
              HasSubstr("yaml:2: stack: '': expected a list of regular expressions"));
  EXPECT_THAT(ErrorOf("suppressions:\n  - {name: a, reason: b, stack: ['(']}\n"),
              HasSubstr("yaml:2: stack: '(': expected a regular expression"));
  EXPECT_THAT(ErrorOf("suppressions:\n  - {name: a, reason: b, stack: [x], kind: hat}\n"),
              HasSubstr("yaml:2: kind: 'hat': expected one of heap, mapping, descriptor"));
  EXPECT_THAT(ErrorOf("suppressions:\n  - {name: a, reason: b, stack: [x], why: z}\n"),
              HasSubstr("yaml:2: suppressions: 'why': expected one of name, reason, kind, stack"));
  EXPECT_THAT(ErrorOf(std::string(kGood) + "  - {name: sockets, reason: b, stack: [x]}\n"),
              HasSubstr("yaml:7: name: 'sockets': expected a name of its own"));
  EXPECT_THAT(ErrorOf("suppressions: [\n"), StartsWith(testing::TempDir()));
}

TEST(SuppressionUse, CountsSitesAndReportsTheUnused) {
  const auto loaded = LoadSuppressions(Write(kGood));
  ASSERT_TRUE(loaded.has_value());
  CaseResult first, second;
  first.suppressed = {{"opencv-tls", "", ResourceKind::kHeap, 800, {}},
                      {"opencv-tls", "", ResourceKind::kHeap, 16, {}}};
  second.suppressed = {{"opencv-tls", "", ResourceKind::kHeap, 800, {}}};
  EXPECT_THAT(
      SuppressionUse(*loaded, {first, second, CaseResult()}),
      ElementsAre(
          "suppression opencv-tls: 3 sites in 2 cases (800 bytes per thread, known upstream)",
          "suppression sockets: not used: is it still needed? (the pool is ours)"));
}

}  // namespace
}  // namespace plimsoll
