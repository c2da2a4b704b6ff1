#include "allocators/workspace/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

using ::testing::HasSubstr;

// Every field another value, so that a mix-up shows.
WorkspaceStatistics Distinct() {
  WorkspaceStatistics s;
  s.id = "ITER";
  s.thread = 1;
  s.open = true;
  s.depth = 2;
  s.current_size = 3;
  s.offset = 4;
  s.block_size = 5;
  s.device_size = 6;
  s.spilled = 7;
  s.pinned = 8;
  s.outside = 9;
  s.external_count = 10;
  s.pinned_count = 11;
  s.outside_count = 12;
  s.this_cycle = 13;
  s.last_cycle = 14;
  s.max_cycle = 15;
  s.cycles = 16;
  s.step = 17;
  s.generation = 18;
  s.resizes = 19;
  s.failed_resizes = 20;
  s.last_failure = "no memory";
  return s;
}

TEST(StatisticsJson, HasEveryFieldWithItsUnit) {
  EXPECT_EQ(StatisticsJson(Distinct()), nlohmann::json::parse(R"({
    "id": "ITER", "thread": 1, "open": true, "depth": 2, "current_size_bytes": 3,
    "offset_bytes": 4, "block_size_bytes": 5, "device_size_bytes": 6, "spilled_bytes": 7,
    "pinned_bytes": 8, "outside_bytes": 9, "external_count": 10, "pinned_count": 11,
    "outside_count": 12, "this_cycle_bytes": 13, "last_cycle_bytes": 14, "max_cycle_bytes": 15,
    "cycles": 16, "step": 17, "generation": 18, "resizes": 19, "failed_resizes": 20,
    "last_failure": "no memory"})"));
}

TEST(StatisticsJson, NoFailureIsNull) {
  WorkspaceStatistics s = Distinct();
  s.failed_resizes = 0;
  EXPECT_TRUE(StatisticsJson(s)["last_failure"].is_null());
}

TEST(StatisticsText, IsOneLineWithEverythingThatIsNotRareAndZero) {
  EXPECT_EQ(StatisticsText(Distinct()),
            "workspace 'ITER' of thread 1: open, size 3 B, offset 4 B, block 5 B, device 6 B, "
            "spilled 7 B in 10, pinned 8 B in 11, outside 9 B in 12, this cycle 13 B, last 14 B, "
            "largest 15 B, cycles 16, step 17, generation 18, failed resizes 20 (no memory)");
}

TEST(StatisticsTable, LinesUpUnderItsHeading) {
  WorkspaceStatistics wide = Distinct();
  wide.id = "a rather long name";
  wide.open = false;
  const std::vector<WorkspaceStatistics> all = {Distinct(), wide};
  EXPECT_EQ(StatisticsTable(all),
            "workspace              thread       size     offset    spilled     pinned last cycle"
            "    largest     cycles       step generation\n"
            "ITER                        1        3 B        4 B        7 B        8 B       14 B"
            "       15 B         16         17         18  open\n"
            "a rather long name          1        3 B        4 B        7 B        8 B       14 B"
            "       15 B         16         17         18\n");
}

}  // namespace
}  // namespace plimsoll
