#include "harness/report/markdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "harness/report/examples.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(RenderMarkdown, TableThenDetails) {
  const std::string text = RenderMarkdown(ExampleContext(), ExampleCases());
  EXPECT_THAT(text, StartsWith("# Plimsoll: 7 cases: 1 clean, 1 leak, "));
  EXPECT_THAT(text, HasSubstr("\n| recompile\\_resnet50/opencv/system/glibc | CLEAN | 128 | "
                              "&lt;1 B/34 iter | 312 / 450 MiB | 1204 | "
                              "allocator retention 12.0 MiB |\n"));
  EXPECT_THAT(text, HasSubstr("| planted/reference/system/glibc | **LEAK** | 128 | 64 B/iter | "
                              "208 MiB | 3 | heap, every iteration |\n"));
  EXPECT_THAT(text, HasSubstr("| train/torch/system/mimalloc | SKIPPED | - | - | - | - | - |\n"));
  EXPECT_THAT(text, HasSubstr("<details><summary>LEAK: planted/reference/system/glibc</summary>\n\n"
                              "```text\nLEAK  planted/"));
  EXPECT_THAT(text, HasSubstr("#1 Cache::Remember(int) (corpus/cache.cc:42)"));
  EXPECT_THAT(text, Not(HasSubstr("<details><summary>CLEAN")));
  EXPECT_THAT(text, HasSubstr("commit 0123456789ab\n"));
}

TEST(RenderMarkdown, TextOfAProgramIsNeverMarkup) {
  CaseResult result;
  result.name = "a|b<script>*x*_y_\n# title";
  result.verdict = Verdict::kError;
  result.last_output = {"````", "</details>"};
  const std::string text = RenderMarkdown(ExampleContext(), {result});
  EXPECT_THAT(text, HasSubstr("| a\\|b&lt;script>\\*x\\*\\_y\\_?\\# title | **ERROR** | 0 |"));
  EXPECT_THAT(text, HasSubstr("\n`````text\n"));
  // Every row has the header's number of cells.
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with("|")) continue;
    size_t bars = 0;
    for (size_t i = 0; i < line.size(); ++i)
      bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    EXPECT_EQ(bars, 8u) << line;
  }
}

}  // namespace
}  // namespace plimsoll
