// What the planner finds with the time and the effort that it is given.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/packing.h"
#include "allocators/planner_arena/planner/planner.h"
#include "allocators/planner_arena/planner/planner_testing.h"

namespace plimsoll {
namespace {

TEST(PlannerEffortTest, FindsTilingsAgain) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    EXPECT_TRUE(Checked(PerfectTiles(2000, Cuts::kGuillotine, seed)).optimal());
    EXPECT_TRUE(Checked(PerfectTiles(1000, Cuts::kPinwheels, seed)).optimal());
  }
}

// On coarse grids many tiles could follow each other that do not.
TEST(PlannerEffortTest, FindsCoarseTilingsAgain) {
  for (const int64_t ticks : {50, 200, 1000}) {
    for (const int64_t rows : {200, 1024, 16'384}) {
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        EXPECT_TRUE(Checked(CoarseTiles(200, ticks, rows, seed)).optimal())
            << ticks << " " << rows << " " << seed;
      }
      if (ticks == 50) continue;  // takes more than a test should
      EXPECT_LT(Checked(CoarseTiles(1000, ticks, rows, 1), {.effort = 400'000'000}).Gap(), 0.05)
          << ticks << " " << rows;
    }
  }
}

TEST(PlannerEffortTest, SearchGoesOnUntilTheTimeLimit) {
  const std::vector<Buffer> buffers = AlmostTiles(600, 1);
  const int64_t without_limit = Checked(buffers, {.effort = 1}).nodes;
  EXPECT_GT(Checked(buffers, {.time_limit = 2, .effort = 1}).nodes, 2 * without_limit);
}

TEST(PlannerEffortTest, HardPartsGetTheEffortThatEasyOnesLeave) {
  std::vector<Buffer> buffers = AlmostTiles(600, 1);
  const PlanOptions options = {.effort = 100'000'000};
  const int64_t alone = Checked(buffers, options).nodes;
  for (int64_t tick = 2'000'000; tick < 2'000'100; ++tick) buffers.push_back({tick, tick + 1, 1});
  EXPECT_GT(Checked(buffers, options).nodes, alone / 2);
}

// Nothing better turns up for most of the time.
TEST(PlannerEffortTest, ReportsProgressWithoutAny) {
  int64_t calls = 0;
  int64_t better = 0;
  int64_t searched = 0;
  PlanProgress last;
  PlanOptions options;
  options.time_limit = 2;
  options.threads = 2;
  options.progress = [&](const PlanProgress& progress) {
    ++calls;
    better += progress.height != last.height;
    searched += progress.nodes > last.nodes;
    last = progress;
  };
  Checked(AlmostTiles(2000, 1), options);
  EXPECT_GE(calls - better, 5);
  EXPECT_GE(searched, 3);
}

}  // namespace
}  // namespace plimsoll
