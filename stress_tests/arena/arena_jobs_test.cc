#include "stress_tests/arena/arena_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ArenaMeasured kMeasured = {{"a", "b"}, {"a"}, {"net"}};

std::vector<std::string> LoopsOf(const std::vector<ArenaJob>& jobs) {
  std::vector<std::string> loops;
  for (const ArenaJob& job : jobs) {
    loops.insert(loops.end(), job.loops.begin(), job.loops.end());
  }
  return loops;
}

TEST(ArenaJobsTest, EveryLineHasItsLoops) {
  const auto jobs = ArenaJobs(kMeasured, "");
  ASSERT_TRUE(jobs.has_value());
  EXPECT_THAT(LoopsOf(*jobs),
              ElementsAre("Calls:a", "Calls:b", "Threads1:a", "Threads2:a", "Threads4:a",
                          "Threads8:a", "FiveShapes:a", "AnyShape:a", "AnyShapeAnyThread:a",
                          "Touched:a", "Touched:b", "TorchStep:net"));
}

// A part of a job is a job: "Threads2" is more than the name of none.
TEST(ArenaJobsTest, OnlyWhatMatches) {
  const auto threads = ArenaJobs(kMeasured, "Threads2");
  ASSERT_TRUE(threads.has_value());
  EXPECT_THAT(LoopsOf(*threads), ElementsAre("Threads2:a"));
  const auto of_b = ArenaJobs(kMeasured, "^Touched.*b$");
  ASSERT_TRUE(of_b.has_value());
  EXPECT_THAT(LoopsOf(*of_b), ElementsAre("Touched:b"));
  EXPECT_TRUE(of_b->at(0).fixed);
  const auto torch = ArenaJobs(kMeasured, "Torch");
  ASSERT_TRUE(torch.has_value());
  EXPECT_TRUE(torch->at(0).in_turns);
}

TEST(ArenaJobsTest, NothingMeasuredIsAnError) {
  const auto none = ArenaJobs(kMeasured, "^Call$");
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("^Call$"));
  EXPECT_THAT(none.error().message, HasSubstr("Calls:a"));
}

TEST(ArenaJobsTest, TheFilterMeansItsContenderAlone) {
  const ArenaJob job = {.loops = {"Calls:a", "Calls:b"}};
  const std::regex filter(job.Filter("arena"));
  EXPECT_TRUE(std::regex_search("Calls:a/arena", filter));
  EXPECT_TRUE(std::regex_search("Calls:b/arena/iterations:5", filter));
  EXPECT_FALSE(std::regex_search("Calls:a/arena_small_pages", filter));
  EXPECT_FALSE(std::regex_search("Calls:ab/arena", filter));
  EXPECT_FALSE(std::regex_search("AnyCalls:a/arena", filter));
}

}  // namespace
}  // namespace plimsoll
