// From profiles to offsets: no two blocks that are live at once may share a byte, round
// the circle of steps.

#include "allocators/planner_arena/arena_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "allocators/planner_arena/planner/greedy.h"

namespace plimsoll {
namespace {

Plan Greedy(const std::vector<Buffer>& buffers, double) { return GreedyBySize(buffers); }

ProfiledRequest Request(uint64_t bytes, int64_t lower, int64_t upper, Fate fate = Fate::kInStep,
                        uint32_t alignment = kGranuleBytes) {
  ProfiledRequest request;
  request.bytes = bytes;
  request.alignment = alignment;
  request.lower = lower;
  request.upper = upper;
  request.fate = fate;
  return request;
}

// Whether a block of the request is live at the tick of a steady step; and how many.
int LiveAt(const ProfiledRequest& r, int64_t tick) {
  if (r.fate == Fate::kInStep) return r.lower <= tick && tick < r.upper ? 1 : 0;
  return (tick >= r.lower ? 1 : 0) + (tick < r.upper ? 1 : 0);
}

// The first two blocks that are in each other's way; empty: none are.
std::string Clash(const StepProfile& profile, const Layout& layout) {
  std::vector<std::pair<const ProfiledRequest*, int64_t>> placed;
  for (size_t lane = 0; lane < profile.lanes.size(); ++lane) {
    for (size_t i = 0; i < profile.lanes[lane].size(); ++i) {
      const int64_t offset = layout.offsets[lane][i];
      if (offset != Layout::kUnplanned) placed.emplace_back(&profile.lanes[lane][i], offset);
    }
  }
  for (size_t a = 0; a < placed.size(); ++a) {
    const auto& [mine, at] = placed[a];
    if (at % mine->alignment != 0) return "misaligned";
    const auto end = static_cast<int64_t>(mine->Granules() * kGranuleBytes) + at;
    if (end > layout.height) return "beyond the height";
    for (size_t b = 0; b < a; ++b) {
      const auto& [theirs, there] = placed[b];
      const auto their_end = static_cast<int64_t>(theirs->Granules() * kGranuleBytes) + there;
      if (end <= there || their_end <= at) continue;
      for (int64_t tick = 0; tick < profile.ticks; ++tick) {
        if (LiveAt(*mine, tick) + LiveAt(*theirs, tick) > 1)
          return "two at tick " + std::to_string(tick);
      }
    }
  }
  return {};
}

TEST(MakeLayout, StepsThatShareBytesInTime) {
  StepProfile profile;
  profile.ticks = 8;
  profile.lanes = {{Request(1000, 0, 3), Request(500, 1, 5), Request(1000, 4, 7)}};
  const Layout layout = MakeLayout(profile, Greedy, 1);
  EXPECT_EQ(Clash(profile, layout), "");
  EXPECT_EQ(layout.height, 1024 + 512);
  EXPECT_EQ(layout.lower_bound, 1024 + 512);
  EXPECT_EQ(layout.peak_live, 1500);
}

// Live from tick 6 of one step to tick 2 of the next: it may share with what lies between.
TEST(MakeLayout, LifetimesRoundTheCircle) {
  StepProfile profile;
  profile.ticks = 8;
  profile.lanes = {{Request(1000, 3, 5), Request(1000, 6, 2, Fate::kCarried)}};
  const Layout layout = MakeLayout(profile, Greedy, 1);
  EXPECT_EQ(Clash(profile, layout), "");
  EXPECT_EQ(layout.height, 1024);
}

TEST(MakeLayout, LeavesOutWhatNeedsTwoPlacesAtOnce) {
  StepProfile profile;
  profile.ticks = 8;
  profile.lanes = {{Request(1000, 3, 5, Fate::kCarried), Request(1000, 0, 0, Fate::kOutlives),
                    Request(1000, 2, 4)}};
  const Layout layout = MakeLayout(profile, Greedy, 1);
  EXPECT_EQ(layout.offsets[0][0], Layout::kUnplanned);
  EXPECT_EQ(layout.offsets[0][1], Layout::kUnplanned);
  EXPECT_EQ(layout.offsets[0][2], 0);
  EXPECT_EQ(layout.height, 1024);
}

TEST(MakeLayout, LeavesOutWhatNoArenaCouldServe) {
  StepProfile profile;
  profile.ticks = 4;
  profile.lanes = {{Request(uint64_t{1} << 62, 0, 2), Request(5000, 1, 3), Request(5001, 1, 3)}};
  for (const auto make : {MakeLayout, MakeLayoutByLane}) {
    const Layout layout = make(profile, Greedy, 1, 5000);
    EXPECT_EQ(layout.offsets[0][0], Layout::kUnplanned);
    EXPECT_EQ(layout.offsets[0][1], 0);
    EXPECT_EQ(layout.offsets[0][2], Layout::kUnplanned);
    EXPECT_EQ(layout.peak_live, 5000);
  }
}

TEST(MakeLayout, OfNothing) {
  for (const auto make : {MakeLayout, MakeLayoutByLane}) {
    EXPECT_EQ(make(StepProfile(), Greedy, 1, kMostPlannedBytes).height, 0);
    StepProfile profile;
    profile.lanes.resize(3);
    EXPECT_EQ(make(profile, Greedy, 1, kMostPlannedBytes).offsets.size(), 3u);
  }
}

TEST(MakeLayoutByLane, LanesShareNoByte) {
  StepProfile profile;
  profile.ticks = 8;
  // One after the other: together they would need 4096 bytes.
  profile.lanes = {
      {Request(1000, 0, 2)}, {Request(4096, 3, 4, Fate::kInStep, 4096)}, {}, {Request(100, 5, 6)}};
  const Layout layout = MakeLayoutByLane(profile, Greedy, 1);
  EXPECT_EQ(Clash(profile, layout), "");
  EXPECT_EQ(layout.offsets[0][0], 0);
  EXPECT_EQ(layout.offsets[1][0], 4096);
  EXPECT_EQ(layout.offsets[3][0], 8192);
  EXPECT_EQ(layout.height, 8192 + 128);
  EXPECT_EQ(layout.lower_bound, 1024 + 4096 + 128);
  EXPECT_EQ(layout.peak_live, 4096);
}

TEST(MakeLayout, RandomProfiles) {
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    StepProfile profile;
    profile.ticks = 2 + random() % 40;
    profile.lanes.resize(1 + random() % 3);
    const auto tick = [&] { return static_cast<int64_t>(random() % profile.ticks); };
    for (auto& lane : profile.lanes) {
      const size_t requests = random() % 20;
      while (lane.size() < requests) {
        int64_t lower = tick();
        int64_t upper = tick();
        const auto fate = static_cast<Fate>(random() % 3);
        if (fate == Fate::kInStep) {
          if (lower > upper) std::swap(lower, upper);
          ++upper;
        }
        lane.push_back(Request(1 + random() % 3000, lower, upper, fate, 64u << random() % 4));
      }
    }
    const Layout joint = MakeLayout(profile, Greedy, 1);
    const Layout apart = MakeLayoutByLane(profile, Greedy, 1);
    EXPECT_EQ(Clash(profile, joint), "") << round;
    EXPECT_EQ(Clash(profile, apart), "") << round;
    EXPECT_EQ(joint.peak_live, apart.peak_live) << round;
    EXPECT_GE(joint.height, joint.lower_bound) << round;
    EXPECT_GE(apart.height, apart.lower_bound) << round;
    EXPECT_GE(joint.lower_bound, joint.peak_live) << round;
  }
}

}  // namespace
}  // namespace plimsoll
