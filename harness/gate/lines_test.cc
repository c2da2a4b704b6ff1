#include "harness/gate/lines.h"

#include <gtest/gtest.h>

#include "base/units.h"

namespace plimsoll {
namespace {

double Limit(std::string_view key, std::string_view text) {
  const Expected<Line> line = ParseLine(key, text, "script");
  EXPECT_TRUE(line.has_value()) << line.error().message;
  return line ? line->limit : -1;
}

TEST(ParseLine, EveryKeyReadsItsOwnExample) {
  for (const LineKey& key : LineKeys()) {
    const Expected<Line> line = ParseLine(key.key, key.example, "script");
    ASSERT_TRUE(line.has_value()) << line.error().message;
    EXPECT_EQ(line->metric, key.metric);
    EXPECT_EQ(line->source, "script");
    EXPECT_EQ(FormatMetric(key.metric, line->limit), key.example);
  }
}

TEST(ParseLine, Units) {
  EXPECT_EQ(Limit("peak_rss", "450 MiB"), 450.0 * (1 << 20));
  EXPECT_EQ(Limit("growth", "1.5 KiB/iter"), 1536);
  EXPECT_EQ(Limit("growth", "0.25 B/iter"), 0.25);
  EXPECT_EQ(Limit("growth", "2MB/iter"), 2e6);
  EXPECT_EQ(Limit("page_faults", "0.5/iter"), 0.5);
  EXPECT_EQ(Limit("fds", "12"), 12);
}

TEST(ParseLine, SaysWhatIsWrongAndWhatIsAllowed) {
  const auto message = [](std::string_view key, std::string_view text) {
    const Expected<Line> line = ParseLine(key, text, "script");
    return line ? "accepted" : line.error().message;
  };
  EXPECT_EQ(message("growth", "5 furlongs"),
            "lines.growth: '5 furlongs': expected a size per iteration, such as '0 B/iter'");
  EXPECT_EQ(message("peak_rss", "-1"), "lines.peak_rss: '-1': expected a size, such as '450 MiB'");
  EXPECT_EQ(message("fds", "1.5"), "lines.fds: '1.5': expected a whole number, such as '0'");
  EXPECT_EQ(message("page_faults", "100"),
            "lines.page_faults: '100': expected a number per iteration, such as '100/iter'");
  EXPECT_EQ(message("peak_rsss", "1"),
            "lines: 'peak_rsss': expected one of growth, growth_blocks, peak_rss, peak_rss_anon, "
            "peak_rss_file, live_heap_peak, page_faults, fds, threads, mappings");
  for (const char* text : {"", "64 B", "64/iter", "-1 B/iter", "nan B/iter", "inf B/iter", "/iter",
                           "1 B /iter", "1 B/iteration", "1 x/iter"}) {
    EXPECT_NE(message("growth", text), "accepted") << text;
  }
  for (const char* text : {"", "-1", "1e400", "3 fds", "nan"}) {
    EXPECT_NE(message("threads", text), "accepted") << text;
  }
  for (const char* text : {"x/iter", "1 B/iter", "-0/iter", "/iter"}) {
    EXPECT_NE(message("page_faults", text), "accepted") << text;
  }
}

CaseResult Measured() {
  CaseResult result;
  result.verdict = Verdict::kClean;
  result.peak.rss_bytes = 100_MiB;
  result.peak.rss_anon_bytes = 80_MiB;
  result.peak.live_heap_bytes = 60_MiB;
  result.peak.page_faults_per_iteration = 12.5;
  result.warmup = 2;
  for (uint32_t i = 1; i <= 5; ++i) {
    Sample sample;
    sample.iteration = i;
    sample.process.threads = 10 + i;
    sample.ledger.emplace();
    sample.ledger->held[static_cast<size_t>(ResourceKind::kDescriptor)].blocks = 100 + 2 * i;
    sample.ledger->held[static_cast<size_t>(ResourceKind::kMapping)].blocks = 50 - i;
    result.samples.push_back(sample);
  }
  return result;
}

TEST(MetricValue, GainIsFromTheEndOfWarmUp) {
  CaseResult result = Measured();
  EXPECT_EQ(MetricValue(result, "threads_gained"), 3);
  EXPECT_EQ(MetricValue(result, "descriptors_gained"), 6);
  EXPECT_EQ(MetricValue(result, "mappings_gained"), -3);
  // The kernel's count, where it was sampled at all, is preferred.
  result.samples[1].process.descriptors = 30;
  result.samples[4].process.descriptors = 31;
  EXPECT_EQ(MetricValue(result, "descriptors_gained"), 1);
  // One sample shows no gain.
  result.samples.resize(1);
  EXPECT_EQ(MetricValue(result, "threads_gained"), std::nullopt);
}

TEST(MetricValue, EveryMetricThatALineMayNameIsFound) {
  CaseResult result = Measured();
  result.peak.rss_file_bytes = 20_MiB;
  for (const LineKey& key : LineKeys()) {
    EXPECT_TRUE(MetricValue(result, key.metric).has_value()) << key.metric;
  }
  EXPECT_EQ(MetricValue(result, "peak_rsss_bytes"), std::nullopt);
}

TEST(MetricValue, EachIsItsOwn) {
  CaseResult result = Measured();
  result.growth.bytes_per_iteration = 64;
  result.growth.blocks_per_iteration = 2;
  const auto value = [&](std::string_view key) {
    return MetricValue(result, ParseLine(key, key == "growth" ? "0 B/iter" : "0", "")->metric);
  };
  EXPECT_EQ(value("growth"), 64);
  EXPECT_EQ(MetricValue(result, "growth_blocks_per_iteration"), 2);
  EXPECT_EQ(value("peak_rss"), 100_MiB);
  EXPECT_EQ(value("peak_rss_anon"), 80_MiB);
  EXPECT_EQ(value("live_heap_peak"), 60_MiB);
  EXPECT_EQ(MetricValue(result, "page_faults_per_iteration"), 12.5);
}

TEST(MetricValue, GrowthOfAFailedRunIsUnknown) {
  CaseResult result = Measured();
  EXPECT_EQ(MetricValue(result, "growth_bytes_per_iteration"), 0);
  for (const Verdict verdict : {Verdict::kError, Verdict::kInconclusive}) {
    result.verdict = verdict;
    EXPECT_EQ(MetricValue(result, "growth_bytes_per_iteration"), std::nullopt);
    EXPECT_EQ(MetricValue(result, "growth_blocks_per_iteration"), std::nullopt);
  }
}

TEST(Hold, EqualHoldsMoreDoesNot) {
  const std::vector<LineResult> results =
      Hold(Measured(), {{"peak_rss_bytes", 100.0 * (1 << 20), "script"},
                        {"peak_rss_anon_bytes", 80.0 * (1 << 20) - 1, "baseline"},
                        {"page_faults_per_iteration", 13, "test"}});
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0].holds);
  EXPECT_FALSE(results[1].holds);
  EXPECT_TRUE(results[2].holds);
  EXPECT_EQ(results[1].value, 80.0 * (1 << 20));
  EXPECT_EQ(results[1].limit, 80.0 * (1 << 20) - 1);
  EXPECT_EQ(results[1].metric, "peak_rss_anon_bytes");
  EXPECT_EQ(results[1].source, "baseline");
}

TEST(Hold, WhatWasNotMeasuredDoesNotPass) {
  const std::vector<LineResult> results =
      Hold(Measured(), {{"peak_rss_file_bytes", 1e18, "script"}, {"no_such_metric", 1e18, "test"}});
  ASSERT_EQ(results.size(), 2u);
  for (const LineResult& result : results) {
    EXPECT_EQ(result.value, std::nullopt);
    EXPECT_FALSE(result.holds);
  }
}

TEST(FormatMetric, ShowsTheUnit) {
  EXPECT_EQ(FormatMetric("growth_bytes_per_iteration", 64), "64 B/iter");
  EXPECT_EQ(FormatMetric("growth_blocks_per_iteration", 0.03125), "0.0312/iter");
  EXPECT_EQ(FormatMetric("page_faults_per_iteration", 12000), "12000/iter");
  EXPECT_EQ(FormatMetric("page_faults_per_iteration", 12.25), "12.2/iter");
  EXPECT_EQ(FormatMetric("peak_rss_bytes", 1536), "1.50 KiB");
  EXPECT_EQ(FormatMetric("descriptors_gained", -2), "-2");
}

TEST(HoldLines, ABrokenLineTurnsCleanIntoOverAndNeverHidesALeak) {
  CaseResult result;
  result.verdict = Verdict::kClean;
  result.reason = "nothing survives";
  result.peak.rss_bytes = 500_MiB;
  CaseResult leak = result;
  leak.verdict = Verdict::kLeak;
  leak.reason = "64 B per iteration";
  const std::vector<Line> low = {{"peak_rss_bytes", static_cast<double>(450_MiB), "test"}};
  const std::vector<Line> high = {{"peak_rss_bytes", static_cast<double>(550_MiB), "test"}};

  CaseResult held = result;
  HoldLines(held, high);
  EXPECT_EQ(held.verdict, Verdict::kClean);
  ASSERT_EQ(held.lines.size(), 1u);
  EXPECT_TRUE(held.lines[0].holds);

  HoldLines(result, low);
  EXPECT_EQ(result.verdict, Verdict::kOver);
  EXPECT_EQ(result.reason,
            "peak_rss_bytes 500 MiB against its line of 450 MiB; otherwise CLEAN: nothing survives");
  HoldLines(leak, low);
  EXPECT_EQ(leak.verdict, Verdict::kLeak);
  EXPECT_EQ(leak.reason, "64 B per iteration; peak_rss_bytes 500 MiB against its line of 450 MiB");
}

}  // namespace
}  // namespace plimsoll
