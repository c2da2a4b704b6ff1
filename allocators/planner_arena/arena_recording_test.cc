// What recorded steps hold, and what is planned when threads' orders differ.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/worker.h"

namespace plimsoll {
namespace {

ArenaConfiguration Quick() {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 1;
  configuration.stable_statistic_step = 2;
  configuration.max_statistic_step = 10;
  configuration.reserve_bytes = uint64_t{1} << 32;
  configuration.plan_in_background = false;
  return configuration;
}

// The system's pages, with a list of what is reserved.
class ListedPages final : public ArenaPages {
 public:
  std::set<void*> reserved;
  bool refuse = false;

  void* Reserve(size_t bytes) override {
    if (refuse) return nullptr;
    void* const begin = System().Reserve(bytes);
    reserved.insert(begin);
    return begin;
  }
  bool Commit(void* begin, size_t bytes) override { return System().Commit(begin, bytes); }
  bool Populate(void* begin, size_t bytes) override { return System().Populate(begin, bytes); }
  void Discard(void* begin, size_t bytes) override { System().Discard(begin, bytes); }
  void Uncommit(void* begin, size_t bytes) override { System().Uncommit(begin, bytes); }
  void Release(void* begin, size_t bytes) override {
    EXPECT_EQ(reserved.erase(begin), 1u);
    System().Release(begin, bytes);
  }
  bool AdviseHuge(void* begin, size_t bytes) override { return System().AdviseHuge(begin, bytes); }
  bool Interleave(void* begin, size_t bytes) override { return System().Interleave(begin, bytes); }
};

constexpr size_t kLarge = size_t{1} << 20;
constexpr size_t kSmall = 4096;

std::unique_ptr<PlannerArena> MakeArena(ListedPages& pages,
                                        std::pmr::memory_resource* upstream = nullptr) {
  PlannerArena::Parts parts;
  parts.upstream = upstream;
  parts.pages = &pages;
  return PlannerArena::Create(Quick(), parts).value();
}

// How many blocks of one step lie in pages of their own.
size_t MappedInStep(PlannerArena& arena, const ListedPages& pages) {
  const StepScope step(arena);
  void* const large = arena.Allocate(kLarge);
  void* const small = arena.Allocate(kSmall);
  std::memset(large, 1, kLarge);
  std::memset(small, 1, kSmall);
  const size_t mapped = pages.reserved.count(large) + pages.reserved.count(small);
  arena.Free(large);
  arena.Free(small);
  return mapped;
}

TEST(ArenaRecording, LargeBlocksOfRecordedStepsGetPagesOfTheirOwn) {
  ListedPages pages;
  const auto arena = MakeArena(pages);
  EXPECT_EQ(MappedInStep(*arena, pages), 0u);  // START: not recorded
  EXPECT_EQ(MappedInStep(*arena, pages), 1u);
  EXPECT_TRUE(pages.reserved.empty());
  for (int i = 0; i < 5; ++i) MappedInStep(*arena, pages);
  EXPECT_EQ(pages.reserved.size(), 1u);  // the plan's range, in which the step began
  EXPECT_GT(arena->Stats().hits, 0);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

// Whole pages are mapped, so whole pages count.
TEST(ArenaRecording, PagesOfTheirOwnCountWhole) {
  for (const bool refuse : {false, true}) {
    ListedPages pages;
    pages.refuse = refuse;
    const auto arena = MakeArena(pages);
    MappedInStep(*arena, pages);
    const StepScope step(*arena);
    void* const block = arena->Allocate(32769);
    EXPECT_EQ(arena->Stats().allocator.bytes_reserved, refuse ? 32769 : 36864);
    EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 32769);
    arena->Free(block);
    EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
  }
}

// The limit has room for the bytes, but not for their pages: upstream serves them.
TEST(ArenaRecording, PagesOfTheirOwnStayWithinTheLimit) {
  ListedPages pages;
  ArenaConfiguration configuration = Quick();
  configuration.limit_bytes = 33000;
  PlannerArena::Parts parts;
  parts.pages = &pages;
  const auto arena = PlannerArena::Create(configuration, parts).value();
  for (int i = 0; i < 2; ++i) {
    const StepScope step(*arena);
    void* const block = arena->Allocate(32769);
    EXPECT_EQ(pages.reserved.count(block), 0u);
    arena->Free(block);
  }
  EXPECT_EQ(arena->Stats().allocator.peak_bytes_reserved, 32769);
}

// They cannot be given back any more, and nobody does.
TEST(ArenaRecording, PagesOfTheirOwnOutliveTheArena) {
  ListedPages pages;
  unsigned char* block = nullptr;
  {
    const auto arena = MakeArena(pages);
    MappedInStep(*arena, pages);
    const StepScope step(*arena);
    block = static_cast<unsigned char*>(arena->Allocate(kLarge));
    std::memset(block, 7, kLarge);
  }
  ASSERT_EQ(pages.reserved.count(block), 1u);
  EXPECT_EQ(block[kLarge - 1], 7);
  block[0] = 8;
  EXPECT_EQ(block[0], 8);
  pages.Release(block, kLarge);
}

TEST(ArenaRecording, LargeBlocksThatMissThePlanGetPagesOfTheirOwn) {
  ListedPages pages;
  const auto arena = MakeArena(pages);
  for (int i = 0; i < 7; ++i) MappedInStep(*arena, pages);
  ASSERT_EQ(arena->Stats().misses, 0);
  const StepScope step(*arena);
  void* const planned = arena->Allocate(kLarge);
  void* const missed = arena->Allocate(kLarge);
  EXPECT_EQ(arena->Stats().misses, 1);
  EXPECT_EQ(pages.reserved.count(missed), 1u);
  arena->Free(missed);
  EXPECT_EQ(pages.reserved.size(), 1u);
  // More than the plan is worth: it is given up.
  std::vector<void*> more;
  for (int i = 0; i < 6; ++i) more.push_back(arena->Allocate(kLarge));
  EXPECT_EQ(pages.reserved.size(), 7u);
  for (void* const block : more) arena->Free(block);
  arena->Free(planned);
  EXPECT_EQ(pages.reserved.size(), 1u);
}

TEST(ArenaRecording, StepsThatWaitForTheirPlanMapLargeBlocks) {
  ListedPages pages;
  ArenaConfiguration configuration = Quick();
  configuration.plan_in_background = true;
  std::mutex planning;
  PlannerArena::Parts parts;
  parts.pages = &pages;
  parts.planner = [&](const std::vector<Buffer>& buffers, double) {
    const std::lock_guard<std::mutex> lock(planning);
    Plan plan;
    for (const Buffer& buffer : buffers) {
      plan.offsets.push_back(plan.height);
      plan.height += buffer.size;
    }
    return plan;
  };
  const auto arena = PlannerArena::Create(configuration, parts).value();
  {
    const std::lock_guard<std::mutex> lock(planning);
    MappedInStep(*arena, pages);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(MappedInStep(*arena, pages), 1u);
    EXPECT_EQ(arena->Stats().recorded_steps, 3);
  }
  arena->WaitForPlan();
  MappedInStep(*arena, pages);
  EXPECT_EQ(arena->Stats().hits, 2);
}

TEST(ArenaRecording, WhoNamesAnUpstreamGetsAllFromThere) {
  ListedPages pages;
  const auto arena = MakeArena(pages, std::pmr::new_delete_resource());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(MappedInStep(*arena, pages), 0u);
}

TEST(ArenaRecording, UpstreamServesWhenPagesAreRefused) {
  ListedPages pages;
  pages.refuse = true;
  const auto arena = MakeArena(pages);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(MappedInStep(*arena, pages), 0u);
  EXPECT_EQ(arena->Stats().allocator.num_allocs, 12);
}

// Each of two threads allocates and frees a block of 64 KiB, then one of 128 KiB; `order`
// says whose turn it is, for each of these eight calls.
void StepOfTwo(PlannerArena& arena, Worker (&workers)[2], const std::string& order) {
  const StepScope step(arena);
  void* live[2] = {};
  int calls[2] = {};
  for (const char turn : order) {
    const int who = turn - 'a';
    workers[who].Do([&] {
      const int call = calls[who]++;
      if (call % 2 == 1) return arena.Free(live[who]);
      live[who] = arena.Allocate(call == 0 ? 1 << 16 : 1 << 17);
    });
  }
}

TEST(ArenaRecording, ThreadsWhoseOrderChangesShareNoBytes) {
  ListedPages pages;
  const auto arena = MakeArena(pages, std::pmr::new_delete_resource());
  Worker workers[2];
  // One after the other: they share what they use.
  for (int i = 0; i < 6; ++i) StepOfTwo(*arena, workers, "aaaabbbb");
  EXPECT_EQ(arena->Stats().plan_height, 1 << 17);
  EXPECT_EQ(arena->Stats().misses, 0);
  // Now side by side, which the plan does not provide for; it is noticed, and planned.
  for (int i = 0; i < 4; ++i) StepOfTwo(*arena, workers, "abababab");
  EXPECT_GT(arena->Stats().misses, 0);
  EXPECT_EQ(arena->Stats().plan_height, 2 << 17);
  const int64_t misses = arena->Stats().misses;
  for (const char* order : {"abababab", "aaaabbbb", "aaabbbba", "bbaaaabb", "baabbaab"}) {
    StepOfTwo(*arena, workers, order);
  }
  EXPECT_EQ(arena->Stats().misses, misses);
}

TEST(ArenaRecording, ThreadsWhoseOrderNeverSettlesShareNoBytes) {
  ListedPages pages;
  const auto arena = MakeArena(pages, std::pmr::new_delete_resource());
  Worker workers[2];
  for (const char* order :
       {"aaaabbbb", "aaaabbbb", "aaabbbba", "abaaabbb", "aabbaabb", "abababab", "baaaabbb",
        "bbaaaabb", "bbbaaaab", "bbbbaaaa", "babababa", "bababbaa", "aaaabbbb"}) {
    StepOfTwo(*arena, workers, order);
  }
  ASSERT_GT(arena->Stats().hits, 0);
  EXPECT_EQ(arena->Stats().plan_height, 2 << 17);
  EXPECT_EQ(arena->Stats().misses, 0);
}

}  // namespace
}  // namespace plimsoll
