#include "harness/probe/proc_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

void EnterAll(std::string_view text, void (*enter)(std::string_view, ProcessCounters&),
              ProcessCounters& counters) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    enter(text.substr(0, end), counters);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

// Linux 3.10 (CentOS 7): no RssAnon, RssFile, RssShmem.
constexpr char kLinux310[] =
    "Name:\tVmRSS: 9 kB\n"  // a program may choose any name
    "State:\tR (running)\n"
    "Groups:\t0 \n"
    "VmPeak:\t  107948 kB\n"
    "VmSize:\t  107948 kB\n"
    "VmHWM:\t     356 kB\n"
    "VmRSS:\t     352 kB\n"
    "VmData:\t     180 kB\n"
    "VmSwap:\t       4 kB\n"
    "Threads:\t3\n"
    "SigQ:\t0/15066\n";

TEST(EnterStatusLine, OldKernelLeavesTheSplitAbsent) {
  ProcessCounters counters;
  EnterAll(kLinux310, EnterStatusLine, counters);
  EXPECT_EQ(counters.rss_bytes, 352u << 10);
  EXPECT_EQ(counters.hwm_bytes, 356u << 10);
  EXPECT_EQ(counters.vm_size_bytes, 107948u << 10);
  EXPECT_EQ(counters.vm_peak_bytes, 107948u << 10);
  EXPECT_EQ(counters.swap_bytes, 4u << 10);
  EXPECT_EQ(counters.threads, 3u);
  EXPECT_EQ(counters.rss_anon_bytes, std::nullopt);
  EXPECT_EQ(counters.rss_file_bytes, std::nullopt);
  EXPECT_EQ(counters.rss_shmem_bytes, std::nullopt);
}

TEST(EnterStatusLine, NewKernelHasTheSplit) {
  ProcessCounters counters;
  EnterAll("VmRSS:\t 30 kB\nRssAnon:\t 10 kB\nRssFile:\t 18 kB\nRssShmem:\t 2 kB\n",
           EnterStatusLine, counters);
  EXPECT_EQ(counters.rss_bytes, 30u << 10);
  EXPECT_EQ(counters.rss_anon_bytes, 10u << 10);
  EXPECT_EQ(counters.rss_file_bytes, 18u << 10);
  EXPECT_EQ(counters.rss_shmem_bytes, 2u << 10);
}

TEST(EnterStatusLine, ZombieHasNoMemoryLines) {
  ProcessCounters counters;
  EnterAll("Name:\tdead\nState:\tZ (zombie)\nThreads:\t1\n", EnterStatusLine, counters);
  EXPECT_EQ(counters.rss_bytes, std::nullopt);
  EXPECT_EQ(counters.threads, 1u);
}

TEST(EnterStatusLine, ValueThatIsNoNumberIsAbsent) {
  ProcessCounters counters;
  EnterStatusLine("VmRSS:\t lots", counters);
  EnterStatusLine("VmHWM:", counters);
  EnterStatusLine("VmSize:\t99999999999999999999999 kB", counters);
  EXPECT_EQ(counters.rss_bytes, std::nullopt);
  EXPECT_EQ(counters.hwm_bytes, std::nullopt);
  EXPECT_EQ(counters.vm_size_bytes, std::nullopt);
}

TEST(EnterRollupLine, TakesTheWholeFieldNameOnly) {
  ProcessCounters counters;
  EnterAll(
      "55d0-7ffc ---p 00000000 00:00 0    [rollup]\n"
      "Rss:                1588 kB\n"
      "Pss:                 194 kB\n"
      "Pss_Dirty:            97 kB\n"
      "Pss_Anon:             96 kB\n"
      "Private_Clean:        76 kB\n"
      "Private_Dirty:        90 kB\n",
      EnterRollupLine, counters);
  EXPECT_EQ(counters.pss_bytes, 194u << 10);
  EXPECT_EQ(counters.private_dirty_bytes, 90u << 10);
}

TEST(EnterStat, CommandMayHoldSpacesAndParentheses) {
  ProcessCounters counters;
  EnterStat("77 (a) R 1 (b c)) S 1 77 77 0 -1 4194304 1234 55 6 7 0 0 0 0 20 0 1 0 300", counters);
  EXPECT_EQ(counters.minor_faults, 1234u);
  EXPECT_EQ(counters.major_faults, 6u);
}

TEST(EnterStat, TruncatedTextIsAbsent) {
  ProcessCounters counters;
  EnterStat("77 (cat) S 1 77 77", counters);
  EnterStat("", counters);
  EXPECT_EQ(counters.minor_faults, std::nullopt);
  EXPECT_EQ(counters.major_faults, std::nullopt);
}

// Feeds `text` in pieces of `piece` bytes and returns the lines that come out.
std::vector<std::string> Split(const std::string& text, size_t piece) {
  std::vector<std::string> lines;
  LineSplitter splitter;
  const auto enter = [&](std::string_view line) { lines.emplace_back(line); };
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::min({piece, splitter.space_size(), text.size() - at});
    std::memcpy(splitter.space(), text.data() + at, size);
    splitter.Take(size, enter);
    at += size;
  }
  splitter.Finish(enter);
  return lines;
}

TEST(LineSplitter, PiecesDoNotMatter) {
  const std::vector<std::string> expected = {"one", "", "three", std::string(3000, 'x'), "five"};
  const std::string text = "one\n\nthree\n" + std::string(3000, 'x') + "\nfive";
  for (const size_t piece : {1, 2, 3, 7, 1000, 4096}) EXPECT_EQ(Split(text, piece), expected);
}

TEST(LineSplitter, LineLongerThanTheBufferIsCutOnce) {
  for (const size_t length : {4095, 4096, 4097, 9000, 12288}) {
    const std::vector<std::string> lines =
        Split("a\n" + std::string(length, 'x') + "\nlast\n", 1000);
    ASSERT_EQ(lines.size(), 3u) << length;
    EXPECT_EQ(lines[1], std::string(std::min<size_t>(length, 4096), 'x'));
    EXPECT_EQ(lines[2], "last");
  }
}

}  // namespace
}  // namespace plimsoll
