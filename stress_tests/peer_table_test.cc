#include "stress_tests/peer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json Row(const std::string& name, double nanoseconds) {
  return {{"name", name}, {"run_type", "iteration"}, {"items_per_second", 1e9 / nanoseconds}};
}

json RunOf(const std::string& library, const json& rows) {
  return {{"context", {{"malloc", library}}}, {"benchmarks", rows}};
}

constexpr const char* kJemalloc = "/usr/lib/libjemalloc.so.2";

PeerFigures GoodFigures() {
  json touched = Row("CycleTouched/workspace", 300);
  touched["faults"] = 0.0;
  PeerFigures figures;
  EXPECT_TRUE(AddPeerRun(figures,
                         RunOf("/lib/libc.so.6",
                               {Row("Alloc/workspace/repeats:3", 4), Row("Alloc/workspace", 2),
                                Row("Alloc/malloc", 20), Row("Scope/workspace", 40),
                                Row("Cycle/workspace", 3), touched}),
                         "glibc", "", "here")
                  .has_value());
  EXPECT_TRUE(AddPeerRun(figures,
                         RunOf(kJemalloc, {Row("Alloc/malloc", 10), Row("Cycle/malloc", 15)}),
                         "jemalloc", "libjemalloc.so.2", "there")
                  .has_value());
  return figures;
}

TEST(PeerTable, KeepsTheFastestRunAndNamesTheMalloc) {
  const PeerFigures figures = GoodFigures();
  EXPECT_DOUBLE_EQ(figures.at("Alloc").at("workspace").nanoseconds, 2);
  EXPECT_DOUBLE_EQ(figures.at("Alloc").at("glibc").nanoseconds, 20);
  EXPECT_DOUBLE_EQ(figures.at("Alloc").at("jemalloc").nanoseconds, 10);
  const json written = PeersJson(figures, HoldPeerLines(figures));
  EXPECT_DOUBLE_EQ(written["loops"]["Alloc"]["jemalloc"]["times_workspace"], 5);
  EXPECT_TRUE(written["loops"]["Alloc"]["workspace"]["faults_per_cycle"].is_null());
}

// Time is the fastest run's; what a run counts is known of all.
TEST(PeerTable, CountsOfEveryRunAreKept) {
  json first = Row("Touched/workspace", 100);
  first["faults"] = 7.0;
  first["rss"] = 1.5;
  json second = Row("Touched/workspace", 90);
  second["faults"] = 2.0;
  second["rss"] = 1.25;
  PeerFigures figures;
  ASSERT_TRUE(AddPeerRun(figures, RunOf("/lib/libc.so.6", {first, second}), "glibc", "", "here"));
  const PeerFigure& figure = figures.at("Touched").at("workspace");
  EXPECT_DOUBLE_EQ(figure.nanoseconds, 90);
  EXPECT_DOUBLE_EQ(figure.faults_per_cycle.value(), 7);
  ASSERT_EQ(figure.counters.size(), 1u);
  EXPECT_DOUBLE_EQ(figure.counters.at("rss").least, 1.25);
  EXPECT_DOUBLE_EQ(figure.counters.at("rss").greatest, 1.5);
  const std::string table = RenderPeers(figures, {}, "workspace");
  EXPECT_THAT(table, HasSubstr("7.00 faults"));
  EXPECT_THAT(table, HasSubstr("rss 1.5"));
  const json row = PeersJson(figures, {}, "workspace")["loops"]["Touched"]["workspace"];
  EXPECT_DOUBLE_EQ(row["rss"]["least"], 1.25);
  EXPECT_DOUBLE_EQ(row["rss"]["greatest"], 1.5);
}

// The lower quartile says more than the mean where a benchmark knows each.
TEST(PeerTable, TheLowerQuartileGoesBeforeTheMean) {
  json row = Row("Step/workspace", 100);
  row["lower_quartile_ns"] = 80.0;
  PeerFigures figures;
  ASSERT_TRUE(
      AddPeerRun(figures, RunOf("/lib/libc.so.6", json::array({row})), "glibc", "", "here"));
  const PeerFigure& figure = figures.at("Step").at("workspace");
  EXPECT_DOUBLE_EQ(figure.nanoseconds, 80);
  EXPECT_TRUE(figure.counters.empty());
}

TEST(PeerTable, EveryLineHoldsAtItsLimitAndNotBeyond) {
  PeerFigures figures = GoodFigures();
  for (const PeerLine& line : HoldPeerLines(figures)) EXPECT_TRUE(line.holds) << line.text;
  figures["Alloc"]["workspace"].nanoseconds = 5.01;
  figures["Scope"]["workspace"].nanoseconds = 40.01;
  figures["Cycle"]["jemalloc"].nanoseconds = 14.99;
  figures["CycleTouched"]["workspace"].faults_per_cycle = 0.01;
  const auto lines = HoldPeerLines(figures);
  for (const PeerLine& line : lines) EXPECT_FALSE(line.holds) << line.text;
  EXPECT_THAT(RenderPeers(figures, lines), HasSubstr("MISSED  enter and leave, ns, at most 40: "));
}

TEST(PeerTable, WhatWasNotMeasuredDoesNotHold) {
  const auto lines = HoldPeerLines({});
  ASSERT_EQ(lines.size(), 4u);
  for (const PeerLine& line : lines) EXPECT_FALSE(line.holds || line.value.has_value());
  EXPECT_THAT(RenderPeers({}, lines), HasSubstr("not measured"));
}

TEST(PeerTable, RefusesAnotherMallocAndWhatIsNoResult) {
  PeerFigures figures;
  const auto error = [&figures](const json& run) {
    const Status added = AddPeerRun(figures, run, "jemalloc", "libjemalloc.so.2", "run.json");
    return added ? std::string("no error") : added.error().message;
  };
  EXPECT_EQ(error(RunOf("/lib/libc.so.6", json::array())),
            "run.json: context.malloc: '/lib/libc.so.6': expected libjemalloc.so.2: it was not "
            "preloaded");
  EXPECT_THAT(error(json::array()), HasSubstr("run.json: not a result of the benchmark"));
  EXPECT_THAT(error(RunOf(kJemalloc, json::array({Row("Alloc", 1)}))),
              HasSubstr("expected LOOP/CONTENDER"));
  json failed = Row("Cycle/malloc", 1);
  failed["error_occurred"] = true;
  failed["error_message"] = "no memory";
  EXPECT_EQ(error(RunOf(kJemalloc, json::array({failed}))), "run.json: Cycle/malloc: no memory");
}

}  // namespace
}  // namespace plimsoll
