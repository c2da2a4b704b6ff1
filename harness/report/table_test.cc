#include "harness/report/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/units.h"
#include "harness/report/examples.h"
#include "harness/report/text.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RenderTable, Golden) {
  TableOptions options;
  options.command = "plimsoll run demo.yaml";
  EXPECT_EQ(
      RenderTable(ExampleCases(), options),
      R"(CASE                                    VERDICT       ITER        GROWTH  PEAK RSS / LINE  FAULTS/IT  DIAGNOSIS
recompile_resnet50/opencv/system/glibc  CLEAN          128  <1 B/34 iter    312 / 450 MiB       1204  allocator
                                                                                                      retention 12.0 MiB
planted/reference/system/glibc          LEAK           128     64 B/iter          208 MiB          3  heap, every
                                                                                                      iteration
train_shapes/torch/system/glibc         GROWING        256  152 KiB/iter         1.50 GiB      12000  heap, about every
                                                                                                      iteration
train/torch/planner_arena/glibc+trim    OVER           128  <1 B/34 iter    460 / 450 MiB          -  -
crash/process/system/jemalloc           ERROR            2             -                -          -  -
slow/process/system/glibc               INCONCLUSIVE    40             -                -          -  -
train/torch/system/mimalloc             SKIPPED          -             -                -          -  -

LEAK  planted/reference/system/glibc
  64 B per iteration in 1 block stay held from one site, in every iteration
  heap  64 B/iter  in 1 block/iter, every iteration
    #0 std::map<int, Entry>::emplace<int&> (stl_map.h:601)
    #1 Cache::Remember(int) (corpus/cache.cc:42)
    #2 main (corpus/cache.cc:77)
  next: plimsoll run demo.yaml --filter='planted/reference/system/glibc' --sites=20

GROWING  train_shapes/torch/system/glibc
  152 KiB per iteration were still arriving after 256 iterations
  heap  152 KiB/iter  in 230 blocks/iter, about every iteration
    #0 dnnl::impl::lru_primitive_cache_t::add (libdnnl.so.2+0x1f3a)
  suppressed: mapped-weights: mapping 4.00 KiB/iter (kept on purpose)
  trend: CLEAN unaccounted: 10 children exclude growth above 512 B per iteration
  next: plimsoll run demo.yaml --filter='train_shapes/torch/system/glibc' --iterations=512

OVER  train/torch/planner_arena/glibc+trim
  the peak is over its line
  line: peak_rss_bytes is 460 MiB, over its line of 450 MiB (script)
  line: peak_rss_file_bytes was not measured; its line is 1.00 MiB (baseline)
  next: plimsoll run demo.yaml --filter='train/torch/planner_arena/glibc+trim' --verbose

ERROR  crash/process/system/jemalloc
  killed by signal 11 (Segmentation fault) in iteration 3
  last output:
    | loading model
    | <jemalloc>: Error & trouble
  next: plimsoll run demo.yaml --filter='crash/process/system/jemalloc' --verbose

INCONCLUSIVE  slow/process/system/glibc
  only 40 of the 128 iterations that the rule needs fit into the time limit
  next: plimsoll run demo.yaml --filter='slow/process/system/glibc' --iterations=256

SKIPPED  train/torch/system/mimalloc
  libmimalloc.so.2 is not installed (package libmimalloc2.0)

CLEAN, <B/N iter: no leak of B or more as often as once in N iterations (95 % confidence)
7 cases: 1 clean, 1 leak, 1 growing, 1 over its line, 1 inconclusive, 1 error, 1 skipped in 76.5 s
)");
}

TEST(RenderTable, FitsItsWidthAndLosesNothing) {
  std::vector<CaseResult> cases = ExampleCases();
  cases[0].name = "recompile_a_rather_long_model_name/opencv/planner_arena/glibc+raised_thresholds";
  for (const int width : {100, 120, 140}) {
    TableOptions options;
    options.width = width;
    std::istringstream lines(RenderTable(cases, options));
    std::string table, line;
    while (std::getline(lines, line) && !line.empty()) {
      EXPECT_LE(DisplayWidth(line), static_cast<size_t>(width)) << line;
      table += line.substr(0, line.find("  "));
    }
    EXPECT_THAT(table, HasSubstr("recompile_a_rather_long_model_name/"));
    EXPECT_THAT(table, HasSubstr("glibc+raised_thresholds"));
  }
}

TEST(RenderTable, EscapesOnlyWhenColourIsWanted) {
  std::vector<CaseResult> cases = ExampleCases();
  cases[1].reason = "evil \x1b[2J reason";
  cases[1].sites[0].stack[0] = "evil\x1b[2J()";
  cases[4].last_output.push_back("evil \x1b]0;title\x07");
  cases[0].name = "evil\x1b[31m/x";
  cases[3].diagnosis.push_back({.kind = "k\x1b", .bytes = 1, .evidence = "\x1b", .advice = "\x1b"});
  const std::string plain = RenderTable(cases);
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
  EXPECT_EQ(plain.find('\x07'), std::string::npos);
  TableOptions options;
  options.color = true;
  const std::string colored = RenderTable(ExampleCases(), options);
  EXPECT_THAT(colored, HasSubstr("\x1b[32mCLEAN\x1b[0m"));
  EXPECT_THAT(colored, HasSubstr("\x1b[1;31mLEAK\x1b[0m"));
  // Colour adds escapes and changes nothing else.
  std::string stripped;
  for (size_t i = 0; i < colored.size(); ++i) {
    if (colored[i] == '\x1b') {
      i = colored.find('m', i);
    } else {
      stripped += colored[i];
    }
  }
  EXPECT_EQ(stripped, RenderTable(ExampleCases()));
}

TEST(RenderTable, DetailsOfAll) {
  TableOptions options;
  options.details_of_all = true;
  const std::vector<CaseResult> cases = {ExampleCases()[0]};
  EXPECT_THAT(RenderTable(cases), Not(HasSubstr(cases[0].reason)));
  EXPECT_THAT(RenderTable(cases, options), HasSubstr(cases[0].reason));
}

TEST(GrowthText, SaysWhatACleanCaseExcludes) {
  CaseResult result;
  result.verdict = Verdict::kClean;
  result.growth.minimum_detectable = {.bytes_per_iteration = 1, .one_in_iterations = 34.7};
  EXPECT_EQ(GrowthText(result), "<1 B/34 iter");
  result.growth.minimum_detectable = {.bytes_per_iteration = 28672, .one_in_iterations = 1};
  EXPECT_EQ(GrowthText(result), "<28.0 KiB/iter");
  result.growth.minimum_detectable.reset();
  EXPECT_EQ(GrowthText(result), "-");
}

TEST(GrowthText, SaysWhatLeaks) {
  CaseResult result;
  result.verdict = Verdict::kLeak;
  result.growth = {.bytes_per_iteration = 64, .blocks_per_iteration = 1, .minimum_detectable = {}};
  EXPECT_EQ(GrowthText(result), "64 B/iter");
  result.growth.bytes_per_iteration = 0;  // descriptors have no bytes
  EXPECT_EQ(GrowthText(result), "1 block/iter");
  for (const Verdict verdict : {Verdict::kError, Verdict::kInconclusive}) {
    result.verdict = verdict;
    EXPECT_EQ(GrowthText(result), "-");
  }
}

TEST(PeakText, ShowsTheTightestLine) {
  CaseResult result;
  EXPECT_EQ(PeakText(result), "-");
  result.peak.rss_bytes = 312_MiB;
  EXPECT_EQ(PeakText(result), "312 MiB");
  result.lines = {{"peak_rss_bytes", 312e6, 500.0 * (1 << 20), "script", true},
                  {"peak_rss_bytes", 312e6, 450.0 * (1 << 20), "baseline", true},
                  {"peak_rss_anon_bytes", 1, 2, "script", true}};
  EXPECT_EQ(PeakText(result), "312 / 450 MiB");
  result.lines[1].limit = 2.0 * (1 << 30);
  result.lines[0].limit = 1.0 * (1 << 30);
  EXPECT_EQ(PeakText(result), "312 MiB / 1.00 GiB");
}

TEST(DiagnosisText, SiteFirstThenTheLargest) {
  CaseResult result;
  result.verdict = Verdict::kClean;
  EXPECT_EQ(DiagnosisText(result), "-");
  result.diagnosis = {{"file_pages", 4096, "", ""}, {"allocator_retention", -8192, "", ""}};
  EXPECT_EQ(DiagnosisText(result), "allocator retention -8.00 KiB");
  result.sites.emplace_back().pattern = "every 7th iteration";
  EXPECT_EQ(DiagnosisText(result), "allocator retention -8.00 KiB");
  result.verdict = Verdict::kLeak;
  EXPECT_EQ(DiagnosisText(result), "heap, every 7th iteration");
}

TEST(LineText, TellsNotMeasuredFromOver) {
  EXPECT_EQ(LineText({"peak_rss_bytes", 460.0 * (1 << 20), 450.0 * (1 << 20), "script", false}),
            "peak_rss_bytes is 460 MiB, over its line of 450 MiB (script)");
  EXPECT_EQ(LineText({"descriptors_gained", 0, 0, "test", true}),
            "descriptors_gained is 0, within its line of 0 (test)");
  EXPECT_EQ(LineText({"peak_rss_file_bytes", std::nullopt, 1024, "baseline", false}),
            "peak_rss_file_bytes was not measured; its line is 1.00 KiB (baseline)");
}

TEST(RenderDetails, SitesAndFramesAreCounted) {
  CaseResult result = ExampleCases()[1];
  result.sites.resize(5, result.sites[0]);
  result.sites[0].stack.assign(12, "frame");
  result.sites[1].stack.clear();
  TableOptions options;
  options.sites = 2;
  options.frames = 11;
  const std::string text = RenderDetails(result, options);
  EXPECT_THAT(text, HasSubstr("    #10 frame\n    ... 1 more frame\n"));
  EXPECT_THAT(text, HasSubstr("    (no stack)\n  ... 3 more sites\n"));
}

TEST(NextStep, DependsOnTheVerdict) {
  CaseResult result;
  result.name = "a/b";
  result.iterations = 1024;
  const auto next = [&](Verdict verdict) {
    result.verdict = verdict;
    return NextStep(result, "run x");
  };
  EXPECT_EQ(next(Verdict::kClean), "");
  EXPECT_EQ(next(Verdict::kLeak), "run x --filter='a/b' --sites=20");
  EXPECT_EQ(next(Verdict::kGrowing), "run x --filter='a/b' --iterations=2048");
  EXPECT_EQ(next(Verdict::kOver), "run x --filter='a/b' --verbose");
  EXPECT_EQ(next(Verdict::kError), "run x --filter='a/b' --verbose");
  result.iterations = 0;
  EXPECT_EQ(next(Verdict::kInconclusive), "run x --filter='a/b' --iterations=256");
  EXPECT_EQ(NextStep(result, ""), "");
  result.skipped = true;
  EXPECT_EQ(next(Verdict::kError), "");
}

TEST(RenderCounts, CountsEachCaseOnce) {
  EXPECT_EQ(RenderCounts({}), "0 cases: 0 clean in 0.0 s");
  EXPECT_EQ(RenderCounts(ExampleCases()),
            "7 cases: 1 clean, 1 leak, 1 growing, 1 over its line, 1 inconclusive, 1 error, "
            "1 skipped in 76.5 s");
  std::vector<CaseResult> two(2);
  for (CaseResult& result : two) result.verdict = Verdict::kLeak;
  two[0].seconds = 120;
  EXPECT_EQ(RenderCounts(two), "2 cases: 0 clean, 2 leaks in 120 s");
}

}  // namespace
}  // namespace plimsoll
