// Which slots may be claimed when: no two live blocks ever share a byte.

#include "allocators/planner_arena/arena_schedule.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

// One lane; offsets and sizes in granules.
struct Planned {
  int64_t lower = 0;
  int64_t upper = 0;
  uint32_t offset = 0;
  uint32_t size = 1;
  Fate fate = Fate::kInStep;
  uint32_t site = 0;
};

Schedule Make(const std::vector<Planned>& slots, int64_t ticks = 100) {
  StepProfile profile;
  Layout layout;
  profile.ticks = ticks;
  profile.lanes.resize(1);
  layout.offsets.resize(1);
  for (const Planned& slot : slots) {
    ProfiledRequest request;
    request.bytes = slot.size * kGranuleBytes;
    request.alignment = kGranuleBytes;
    request.site = slot.site;
    request.lower = slot.lower;
    request.upper = slot.upper;
    request.fate = slot.fate;
    profile.lanes[0].push_back(request);
    layout.offsets[0].push_back(slot.offset * static_cast<int64_t>(kGranuleBytes));
    layout.height = std::max<int64_t>(layout.height, (slot.offset + slot.size) * kGranuleBytes);
  }
  return Schedule(profile, layout);
}

// As a thread does that is in time.
bool Take(Schedule& schedule, uint32_t i, uint64_t step, uint64_t bytes) {
  const Schedule::Claimed claimed = schedule.Claim(i, step);
  if (claimed == Schedule::Claimed::kInUse) schedule.Unclaim(i, step);
  if (claimed != Schedule::Claimed::kYes) return false;
  schedule.Publish(i, bytes);
  return true;
}

TEST(Schedule, SuccessorWaitsForItsPredecessor) {
  Schedule schedule = Make({{0, 2, 0, 4}, {3, 5, 0, 2}, {3, 5, 2, 2}});
  schedule.Prepare(1, 0, {});
  EXPECT_TRUE(Take(schedule, 0, 1, 200));
  EXPECT_FALSE(Take(schedule, 0, 1, 200));
  EXPECT_FALSE(Take(schedule, 1, 1, 100));  // and so it is left out of this step
  EXPECT_EQ(schedule.LiveSlotAt(0), 0u);
  EXPECT_EQ(schedule.Release(0), 200u);
  EXPECT_FALSE(Take(schedule, 1, 1, 100));
  EXPECT_TRUE(Take(schedule, 2, 1, 100));
  EXPECT_EQ(schedule.LiveSlotAt(2), 2u);
  EXPECT_EQ(schedule.LiveSlotAt(0), Schedule::kNone);
  schedule.Release(2);
  schedule.Prepare(2, 1, {});
  EXPECT_TRUE(Take(schedule, 0, 2, 200));
  schedule.Release(0);
  EXPECT_TRUE(Take(schedule, 1, 2, 100));
}

TEST(Schedule, ASlotThatIsPassedOverCannotBeTakenLater) {
  Schedule schedule = Make({{0, 2, 0, 4}, {3, 5, 0, 4}, {6, 8, 0, 4}});
  schedule.Prepare(1, 0, {});
  EXPECT_TRUE(Take(schedule, 2, 1, 1));  // the first two were not asked for
  EXPECT_FALSE(Take(schedule, 0, 1, 1));
  EXPECT_FALSE(Take(schedule, 1, 1, 1));
  schedule.Release(2);
  EXPECT_FALSE(Take(schedule, 0, 1, 1));
}

TEST(Schedule, CarriedBlocksMayLiveOnAsPlanned) {
  Schedule schedule = Make({{0, 5, 0, 2}, {1, 3, 2, 2}, {10, 2, 2, 2, Fate::kCarried}}, 20);
  schedule.Prepare(1, 0, {});
  EXPECT_TRUE(Take(schedule, 2, 1, 1));
  EXPECT_EQ(schedule.Prepare(2, 1, {}), 0u);
  EXPECT_TRUE(Take(schedule, 0, 2, 1));
  EXPECT_FALSE(Take(schedule, 1, 2, 1));  // it is still there
  schedule.Release(2);
  EXPECT_TRUE(Take(schedule, 2, 2, 1));
  // A step later than planned it is overdue, and what shares its bytes is barred.
  schedule.Prepare(3, 2, {});
  EXPECT_EQ(schedule.Prepare(4, 3, {}), 2u);  // the first one's block is live, too
  EXPECT_FALSE(Take(schedule, 1, 4, 1));
}

TEST(Schedule, LiveBlocksOfOthersBarTheirBytes) {
  Schedule schedule = Make({{0, 9, 0, 10}, {0, 9, 10, 10}, {0, 9, 70, 10}, {0, 9, 100, 1}});
  // The second looks live within the first: a claim that is about to be undone.
  schedule.Prepare(1, 0, {{50, 60}, {10, 100}});
  EXPECT_TRUE(Take(schedule, 0, 1, 1));
  EXPECT_FALSE(Take(schedule, 1, 1, 1));
  EXPECT_FALSE(Take(schedule, 2, 1, 1));
  EXPECT_TRUE(Take(schedule, 3, 1, 1));
}

TEST(Schedule, FindsUnusedSlotsBySizeSiteAndPlace) {
  Schedule schedule = Make({{0, 99, 0, 4, Fate::kInStep, 1},
                            {1, 99, 4, 4, Fate::kInStep, 2},
                            {2, 99, 8, 5, Fate::kInStep, 2},
                            {3, 99, 13, 4, Fate::kInStep, 2}});
  schedule.Prepare(1, 0, {});
  const Schedule::Wanted wanted = {1, 4, 6, 2};
  EXPECT_TRUE(schedule.Has(4, 6));
  EXPECT_TRUE(schedule.Has(5, 6));
  EXPECT_FALSE(schedule.Has(6, 6));
  EXPECT_FALSE(schedule.Has(4, 7));
  EXPECT_EQ(schedule.FindUnused(wanted, 0, 4), 1u);
  EXPECT_EQ(schedule.FindUnused(wanted, 2, 4), 3u);
  EXPECT_EQ(schedule.FindUnused(wanted, 0, 1), 0u);  // of another site, if there is no better
  EXPECT_EQ(schedule.FindUnused(wanted, 2, 3), Schedule::kNone);
  EXPECT_TRUE(Take(schedule, 1, 1, 1));
  EXPECT_TRUE(schedule.Taken(1, 1));
  EXPECT_FALSE(schedule.Taken(3, 1));
  EXPECT_EQ(schedule.FindUnused(wanted, 0, 4), 3u);
  schedule.Release(1);
  EXPECT_TRUE(schedule.Taken(1, 1));
  EXPECT_FALSE(schedule.Taken(1, 2));
}

TEST(Schedule, ReadySlotsTakeNothingFromOthers) {
  Schedule schedule = Make({{0, 2, 0, 4}, {3, 5, 0, 4}, {6, 8, 4, 4}});
  schedule.Prepare(1, 0, {});
  const Schedule::Wanted wanted = {1, 4, 6, 0};
  EXPECT_TRUE(Take(schedule, 0, 1, 1));
  // The second waits for the first, the third for nobody.
  EXPECT_EQ(schedule.FindReady(wanted), 2u);
  schedule.Release(0);
  EXPECT_EQ(schedule.FindReady(wanted), 1u);
}

TEST(Schedule, UndoneClaimsLeaveTheSlotOut) {
  Schedule schedule = Make({{0, 2, 0, 4}});
  schedule.Prepare(1, 0, {});
  EXPECT_EQ(schedule.Claim(0, 1), Schedule::Claimed::kYes);
  schedule.Unclaim(0, 1);
  EXPECT_TRUE(schedule.LiveRanges().empty());
  EXPECT_FALSE(Take(schedule, 0, 1, 1));
  schedule.Prepare(2, 1, {});
  EXPECT_TRUE(Take(schedule, 0, 2, 1));
}

// Slot 1 follows slot 0 at its offset. A thread claims it and is late: step 2 has begun, and
// slot 0 has been taken in it.
TEST(Schedule, LateClaimsDoNotHideTheBlockAtTheirOffset) {
  Schedule schedule = Make({{0, 2, 0, 2}, {3, 5, 0, 2}});
  schedule.Prepare(1, 0, {});
  ASSERT_TRUE(Take(schedule, 0, 1, 100));
  schedule.Release(0);
  schedule.Prepare(2, 1, {});
  ASSERT_EQ(schedule.Claim(1, 1), Schedule::Claimed::kYes);
  ASSERT_TRUE(Take(schedule, 0, 2, 200));
  EXPECT_EQ(schedule.LiveSlotAt(0), 0u);
  schedule.Unclaim(1, 2);
  EXPECT_EQ(schedule.LiveSlotAt(0), 0u);
  EXPECT_EQ(schedule.Release(0), 200u);
  EXPECT_EQ(schedule.LiveSlotAt(0), Schedule::kNone);
}

// The same when the slot was the last to have a block there: what was known of that does
// not make the claim known.
TEST(Schedule, LateClaimsAreNotTakenForBlocks) {
  Schedule schedule = Make({{0, 2, 0, 2}});
  schedule.Prepare(1, 0, {});
  ASSERT_TRUE(Take(schedule, 0, 1, 100));
  schedule.Release(0);
  schedule.Prepare(3, 0, {});
  ASSERT_EQ(schedule.Claim(0, 2), Schedule::Claimed::kYes);
  EXPECT_EQ(schedule.LiveSlotAt(0), Schedule::kNone);
  EXPECT_EQ(schedule.live_bytes(0), 0u);
  schedule.Unclaim(0, 3);
}

// The plan serves again within a step, and another one's block lies where a late claim
// still looks like one: the claim's slot could not be barred.
TEST(Schedule, LateClaimsStayBarredOnceUndone) {
  for (const bool in_use : {false, true}) {
    Schedule schedule = Make({{0, 2, 0, 2}, {3, 5, 0, 2}});
    schedule.Prepare(1, 0, {});
    if (in_use) {
      ASSERT_TRUE(Take(schedule, 0, 1, 100));
    }
    ASSERT_EQ(schedule.Claim(1, 1), in_use ? Schedule::Claimed::kInUse : Schedule::Claimed::kYes);
    if (in_use) schedule.Release(0);
    schedule.Prepare(3, 0, {{0, 2}});
    schedule.Unclaim(1, 3);
    EXPECT_EQ(schedule.Claim(1, 3), Schedule::Claimed::kNo);
  }
}

// One size in two halves, then the second half first: all are found, and soon.
TEST(Schedule, FindsUnusedSlotsBehindManyUsedOnes) {
  constexpr uint32_t kSlots = 100'000;
  std::vector<Planned> slots;
  for (uint32_t i = 0; i < kSlots; ++i) slots.push_back({i, kSlots, 4 * i, 4});
  Schedule schedule = Make(slots, kSlots);
  for (uint64_t step = 1; step < 4; ++step) {
    schedule.Prepare(step, step - 1, {});
    const Schedule::Wanted wanted = {step, 4, 6, 0};
    for (uint32_t i = 0; i < kSlots; ++i) {
      const uint32_t begin = i < kSlots / 2 ? kSlots / 2 : 0;
      const uint32_t found =
          step % 2 != 0 ? schedule.FindUnused(wanted, begin, kSlots) : schedule.FindReady(wanted);
      ASSERT_NE(found, Schedule::kNone) << i;
      ASSERT_TRUE(Take(schedule, found, step, 1)) << i;
      if (i % 3 == 0) schedule.Release(found);
    }
    EXPECT_EQ(schedule.FindUnused(wanted, 0, kSlots), Schedule::kNone);
    for (uint32_t i = 0; i < kSlots; ++i) {
      if (schedule.live_bytes(i) != 0) schedule.Release(i);
    }
  }
}

// Offsets that overlap at random, claims and releases at random, over many steps.
TEST(Schedule, NoTwoLiveBlocksShareAByte) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<Planned> slots;
    for (int i = 0; i < 40; ++i) {
      const auto lower = static_cast<int64_t>(random() % 90);
      const auto fate = random() % 4 == 0 ? Fate::kCarried : Fate::kInStep;
      const int64_t upper = fate == Fate::kCarried ? lower : lower + 1;
      slots.push_back({lower, upper, static_cast<uint32_t>(random() % 60),
                       1 + static_cast<uint32_t>(random() % 12), fate});
    }
    Schedule schedule = Make(slots);
    std::set<uint32_t> live;
    for (uint64_t step = 1; step < 20; ++step) {
      schedule.Prepare(step, step - 1, {});
      for (int i = 0; i < 60; ++i) {
        const auto s = static_cast<uint32_t>(random() % slots.size());
        if (schedule.slot(s).offset != Schedule::kNone && Take(schedule, s, step, 1)) {
          for (uint32_t other : live) {
            const Schedule::Slot& a = schedule.slot(s);
            const Schedule::Slot& b = schedule.slot(other);
            ASSERT_TRUE(a.offset + a.size <= b.offset || b.offset + b.size <= a.offset)
                << "slots " << s << " and " << other << " in step " << step;
          }
          live.insert(s);
          EXPECT_EQ(schedule.LiveSlotAt(schedule.slot(s).offset), s);
        }
        if (!live.empty() && random() % 2 == 0) {
          const auto it =
              std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
          schedule.Release(*it);
          live.erase(it);
        }
      }
      EXPECT_EQ(schedule.LiveRanges().size(), live.size());
    }
  }
}

}  // namespace
}  // namespace plimsoll
