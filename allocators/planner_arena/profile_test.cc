#include "allocators/planner_arena/profile.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace plimsoll {
namespace {

const ProfiledRequest& Of(const StepProfile& profile, const RequestRef& request) {
  return profile.lanes[request.lane][request.index];
}

TEST(StepRecorder, TakesDownFatesOverTwoSteps) {
  StepRecorder recorder;
  recorder.BeginStep(5);
  const RequestRef in_step = recorder.Allocate(0, 100, 64, 7);  // tick 0
  const RequestRef carried = recorder.Allocate(0, 200, 8, 0);   // 1
  recorder.Free(in_step);                                       // 2
  const RequestRef between = recorder.Allocate(1, 0, 4096, 0);  // 3
  const RequestRef outlives = recorder.Allocate(1, 1, 64, 0);   // 4
  EXPECT_EQ(recorder.EndStep(true), std::nullopt);
  EXPECT_TRUE(recorder.Following());
  recorder.Free(between);
  recorder.BeginStep(6);
  recorder.Allocate(0, 100, 64, 0);  // 0
  recorder.Free(carried);            // 1
  const std::optional<StepProfile> profile = recorder.EndStep(false);
  ASSERT_TRUE(profile.has_value());
  EXPECT_FALSE(recorder.Following());
  EXPECT_EQ(profile->ticks, 5);
  EXPECT_EQ(Of(*profile, in_step).fate, Fate::kInStep);
  EXPECT_EQ(Of(*profile, in_step).lower, 0);
  EXPECT_EQ(Of(*profile, in_step).upper, 2);
  EXPECT_EQ(Of(*profile, in_step).site, 7u);
  EXPECT_EQ(Of(*profile, carried).fate, Fate::kCarried);
  EXPECT_EQ(Of(*profile, carried).upper, 1);
  EXPECT_EQ(Of(*profile, carried).alignment, kGranuleBytes);
  EXPECT_EQ(Of(*profile, between).fate, Fate::kCarried);
  EXPECT_EQ(Of(*profile, between).upper, 0);
  EXPECT_EQ(Of(*profile, between).bytes, 1u);
  EXPECT_EQ(Of(*profile, between).alignment, 4096u);
  EXPECT_EQ(Of(*profile, outlives).fate, Fate::kOutlives);
}

TEST(StepRecorder, ASkippedStepDropsTheProfileBeforeIt) {
  StepRecorder recorder;
  recorder.BeginStep(1);
  const RequestRef old = recorder.Allocate(0, 100, 64, 0);
  recorder.EndStep(true);
  recorder.BeginStep(3);
  recorder.Free(old);  // of a step that is not followed any more
  EXPECT_EQ(recorder.EndStep(true), std::nullopt);
  EXPECT_TRUE(recorder.Following());
  recorder.Forget();
  EXPECT_FALSE(recorder.Following());
  recorder.BeginStep(4);
  EXPECT_EQ(recorder.EndStep(false), std::nullopt);
}

StepProfile Profile(const std::vector<ProfiledRequest>& requests, int64_t ticks) {
  StepProfile profile;
  profile.lanes = {requests};
  profile.ticks = ticks;
  return profile;
}

TEST(StepProfile, ComparesStructureSizesAndCover) {
  const StepProfile profile = Profile({{1000, 64, 0, 0, 1}, {200, 128, 0, 1, 2}}, 4);
  StepProfile within = profile;
  within.lanes[0][0].bytes = 1024;  // the same granules
  EXPECT_TRUE(profile.SameRequests(within));
  StepProfile larger = profile;
  larger.lanes[0][0].bytes = 2000;
  EXPECT_FALSE(profile.SameRequests(larger));
  EXPECT_TRUE(profile.SameStructure(larger));
  EXPECT_TRUE(larger.Covers(profile));
  EXPECT_FALSE(profile.Covers(larger));
  StepProfile aligned = profile;
  aligned.lanes[0][0].alignment = 128;
  EXPECT_FALSE(profile.SameStructure(aligned));
  StepProfile longer = profile;
  longer.lanes[0].push_back({});
  EXPECT_FALSE(profile.SameStructure(longer));
  longer = profile;
  longer.lanes.emplace_back();
  EXPECT_FALSE(profile.SameStructure(longer));
}

TEST(StepProfile, MergesToWhatCoversBoth) {
  StepProfile profile = Profile({{1000, 64, 0, 2, 5, Fate::kInStep},
                                 {1000, 64, 0, 3, 1, Fate::kCarried},
                                 {1000, 64, 0, 3, 6, Fate::kInStep}},
                                8);
  const StepProfile same = profile;
  EXPECT_FALSE(profile.Merge(same));
  const StepProfile other = Profile({{1010, 64, 0, 1, 7, Fate::kInStep},
                                     {2000, 64, 0, 4, 2, Fate::kCarried},
                                     {1000, 64, 0, 3, 1, Fate::kCarried}},
                                    9);
  EXPECT_TRUE(profile.Merge(other));
  const auto& merged = profile.lanes[0];
  EXPECT_EQ(profile.ticks, 9);
  EXPECT_EQ(merged[0].bytes, 1010u);
  EXPECT_EQ(merged[0].lower, 1);
  EXPECT_EQ(merged[0].upper, 7);
  EXPECT_EQ(merged[1].bytes, 2000u);
  EXPECT_EQ(merged[1].lower, 3);
  EXPECT_EQ(merged[1].upper, 2);
  EXPECT_EQ(merged[2].fate, Fate::kCarried);  // the longer life
  EXPECT_EQ(merged[2].upper, 1);
  EXPECT_FALSE(profile.Merge(other));
  EXPECT_FALSE(profile.Merge(same));
  // Sizes within a granule are no change.
  StepProfile within = profile;
  within.lanes[0][0].bytes = 1024;
  EXPECT_FALSE(profile.Merge(within));
  EXPECT_EQ(profile.lanes[0][0].bytes, 1024u);
}

}  // namespace
}  // namespace plimsoll
