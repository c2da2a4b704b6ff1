// What the arena takes of the system's memory and gives back: resident pages are counted.

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

constexpr size_t kMiB = size_t{1} << 20;

// Bytes of the pages that lie within the block and are in memory.
size_t ResidentBytes(const void* block, size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(block) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(block) + bytes) / page * page;
  std::vector<unsigned char> in_memory((end - begin) / page);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(begin), end - begin, in_memory.data()), 0);
  size_t resident = 0;
  for (unsigned char flags : in_memory) resident += (flags & 1) * page;
  return resident;
}

// The arena's blocks of a steady step of these sizes, written to.
std::vector<void*> TouchedBlocks(PlannerArena& arena, const std::vector<size_t>& sizes) {
  EXPECT_TRUE(Steps(arena, kStepsToPlan, sizes));
  const Since since(arena);
  std::vector<void*> blocks;
  const StepScope step(arena);
  for (size_t size : sizes) {
    blocks.push_back(arena.Allocate(size));
    std::memset(blocks.back(), 1, size);
  }
  for (void* block : blocks) arena.Free(block);
  EXPECT_EQ(since.hits(), static_cast<int64_t>(sizes.size()));
  return blocks;
}

TEST(ArenaMemory, TrimReturnsResidentPages) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB, 4 * kMiB});
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 8 * kMiB);
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(12 * kMiB));
  EXPECT_EQ(arena->Trim(), 12 * kMiB);
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 0u);
  EXPECT_EQ(ResidentBytes(blocks[1], 4 * kMiB), 0u);
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
  // And it serves on.
  const Since since(*arena);
  EXPECT_TRUE(Steps(*arena, 2, {8 * kMiB, 4 * kMiB}));
  EXPECT_EQ(since.misses(), 0);
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 8 * kMiB);
}

TEST(ArenaMemory, TrimSparesLiveBlocks) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<size_t> sizes = {kMiB, 2 * kMiB, 3 * kMiB};
  EXPECT_TRUE(Steps(*arena, kStepsToPlan, sizes));
  std::vector<unsigned char*> blocks;
  {
    const StepScope step(*arena);
    for (size_t size : sizes) {
      blocks.push_back(static_cast<unsigned char*>(arena->Allocate(size)));
      std::memset(blocks.back(), 7, size);
    }
    arena->Free(blocks[0]);
    arena->Free(blocks[2]);
  }
  EXPECT_EQ(arena->Trim(), 4 * kMiB);
  EXPECT_EQ(ResidentBytes(blocks[1], 2 * kMiB), 2 * kMiB);
  EXPECT_EQ(ResidentBytes(blocks[0], kMiB), 0u);
  EXPECT_EQ(ResidentBytes(blocks[2], 3 * kMiB), 0u);
  EXPECT_TRUE(AllBytesAre(blocks[1], 2 * kMiB, 7));
  arena->Free(blocks[1]);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

// A report looks at live blocks, too, and must not make the arena forget whose they are.
TEST(ArenaMemory, BlocksAfterAReportAreLiveAsAnyOther) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  EXPECT_TRUE(Steps(*arena, kStepsToPlan, {kMiB, 2 * kMiB}));
  unsigned char* block = nullptr;
  {
    const StepScope step(*arena);
    EXPECT_TRUE(Work(*arena, {kMiB}));
    EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);  // the plan serves, nothing is live
    block = static_cast<unsigned char*>(arena->Allocate(2 * kMiB));
    std::memset(block, 7, 2 * kMiB);
  }
  EXPECT_LT(arena->Trim(), kMiB + 1);
  EXPECT_TRUE(AllBytesAre(block, 2 * kMiB, 7));
  std::thread([&] { arena->Free(block); }).join();
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

TEST(ArenaMemory, TrimLeavesOpenStepsAlone) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB});
  const StepScope step(*arena);
  EXPECT_EQ(arena->Trim(), 0u);
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 8 * kMiB);
}

TEST(ArenaMemory, TrimAsksUpstreamToo) {
  int trims = 0;
  CountingUpstream upstream;
  PlannerArena::Parts parts;
  parts.upstream = &upstream;
  parts.trim_upstream = [&] { ++trims; };
  const auto arena = PlannerArena::Create(Quick(), parts).value();
  Steps(*arena, kStepsToPlan, {kMiB});
  EXPECT_EQ(trims, 0);
  // What the step had of upstream it has of the arena from now on.
  Step(*arena, {kMiB});
  EXPECT_EQ(trims, 1);
  arena->Trim();
  EXPECT_EQ(trims, 2);
}

TEST(ArenaMemory, DecaysAtTheEndOfEveryStep) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.decay_ms = 0;
  const auto arena = MakeArena(&upstream, configuration);
  const std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB});
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 0u);
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, 0);
}

TEST(ArenaMemory, DecaysWhenStepsPause) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.decay_ms = 20;
  const auto arena = MakeArena(&upstream, configuration);
  std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB});
  const auto wait_for = [&](auto&& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return done();
  };
  EXPECT_TRUE(wait_for([&] { return arena->Stats().allocator.bytes_reserved == 0; }));
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 0u);
  // In the next pause again, but not while a step is open.
  {
    const StepScope step(*arena);
    EXPECT_TRUE(Work(*arena, {8 * kMiB}));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 8 * kMiB);
  }
  EXPECT_TRUE(wait_for([&] { return ResidentBytes(blocks[0], 8 * kMiB) == 0; }));
}

TEST(ArenaMemory, KeepsItsPagesUnlessToldToDecay) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(ResidentBytes(blocks[0], 8 * kMiB), 8 * kMiB);
}

// What no plan has needed for long goes back by itself.
TEST(ArenaMemory, ShrinksToWhatRecentStepsNeed) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const StepOptions large = {.shape = "large"};
  const StepOptions small = {.shape = "small"};
  EXPECT_TRUE(Steps(*arena, 8, {16 * kMiB}, large));
  EXPECT_TRUE(Steps(*arena, 8, {kMiB}, small));
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(16 * kMiB));
  EXPECT_TRUE(Steps(*arena, 200, {kMiB}, small));
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(kMiB));
}

TEST(ArenaMemory, CommitsOnlyWhatStepsReach) {
  FakePages pages;
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Quick(), &pages);
  EXPECT_TRUE(Steps(*arena, kStepsToPlan, {64 * kMiB, 8 * kMiB}));
  EXPECT_EQ(pages.reservations, 0);
  const StepScope step(*arena);
  // The larger lies at the bottom; the smaller is asked for first.
  void* const large = arena->Allocate(64 * kMiB);
  EXPECT_EQ(pages.reserved, size_t{1} << 32);
  EXPECT_GE(pages.committed, 64 * kMiB);
  EXPECT_EQ(ResidentBytes(large, 64 * kMiB), 0u);  // committed, not touched
  arena->Free(large);
}

TEST(ArenaMemory, PreallocatesAllOfAPlan) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.growth = Growth::kPreallocate;
  const auto arena = MakeArena(&upstream, configuration);
  const std::vector<size_t> sizes = {4 * kMiB, 8 * kMiB};
  EXPECT_TRUE(Steps(*arena, kStepsToPlan, sizes));
  const StepScope step(*arena);
  void* const a = arena->Allocate(4 * kMiB);
  void* const b = arena->Allocate(8 * kMiB);
  EXPECT_EQ(ResidentBytes(a, 4 * kMiB), 4 * kMiB);
  EXPECT_EQ(ResidentBytes(b, 8 * kMiB), 8 * kMiB);
  EXPECT_EQ(arena->Stats().allocator.bytes_reserved, static_cast<int64_t>(12 * kMiB));
  arena->Free(a);
  arena->Free(b);
}

TEST(ArenaMemory, ServesUpstreamWhenPagesAreRefused) {
  for (Growth growth : {Growth::kGrow, Growth::kPreallocate}) {
    for (bool no_address_space : {false, true}) {
      FakePages pages;
      pages.refuse_reserve = no_address_space;
      pages.most_committed = 0;
      CountingUpstream upstream;
      ArenaConfiguration configuration = Quick();
      configuration.growth = growth;
      const auto arena = MakeArena(&upstream, configuration, &pages);
      EXPECT_TRUE(Steps(*arena, 20, {kMiB, 3000}));
      EXPECT_EQ(arena->Stats().hits, 0);
      EXPECT_EQ(upstream.allocs, 40);
      // Once there is memory, the plan that is there serves.
      pages.refuse_reserve = false;
      pages.most_committed = 64 * kMiB;
      const Since since(*arena);
      EXPECT_TRUE(Steps(*arena, 10, {kMiB, 3000}));
      EXPECT_EQ(since.hits(), 20);
    }
  }
}

TEST(ArenaMemory, PartOfAPlanIsServedWhenPagesAreShort) {
  FakePages pages;
  pages.most_committed = 5 * kMiB;
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream, Quick(), &pages);
  const std::vector<size_t> sizes = {4 * kMiB, 3 * kMiB, 2 * kMiB};
  EXPECT_TRUE(Steps(*arena, kStepsToPlan, sizes));
  const Since since(*arena);
  EXPECT_TRUE(Step(*arena, sizes));
  EXPECT_EQ(since.hits(), 1);
  EXPECT_EQ(since.misses(), 2);
}

// The line of /proc/self/smaps for the mapping that holds the block.
std::string MappingFlags(const void* block) {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool here = false;
  while (std::getline(smaps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      const auto at = reinterpret_cast<unsigned long>(block);
      here = begin <= at && at < end;
    }
    if (here && line.rfind("VmFlags:", 0) == 0) return line + " ";
  }
  return {};
}

bool HintsTaken(const PlannerArena& arena) {
  return nlohmann::json::parse(arena.SnapshotJson())["timelines"][0]["hints_taken"];
}

TEST(ArenaMemory, HugePagesAreAskedFor) {
  for (bool huge : {false, true}) {
    CountingUpstream upstream;
    ArenaConfiguration configuration = Quick();
    configuration.huge_pages = huge;
    const auto arena = MakeArena(&upstream, configuration);
    const std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB});
    const std::string flags = MappingFlags(blocks[0]);
    if (flags.empty()) GTEST_SKIP() << "no VmFlags in /proc/self/smaps";
    // Where the kernel has no huge pages the arena says so and works without.
    EXPECT_EQ(flags.find(" hg ") != std::string::npos, huge && HintsTaken(*arena)) << flags;
  }
}

TEST(ArenaMemory, NodesAreInterleaved) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.numa_interleave = true;
  const auto arena = MakeArena(&upstream, configuration);
  const std::vector<void*> blocks = TouchedBlocks(*arena, {8 * kMiB});
  int policy = 0;
  if (syscall(SYS_get_mempolicy, &policy, nullptr, 0, blocks[0], MPOL_F_ADDR) != 0) {
    // Not allowed to look, and so not to set either: the arena works without.
    EXPECT_FALSE(HintsTaken(*arena));
    return;
  }
  EXPECT_EQ(policy == MPOL_INTERLEAVE, HintsTaken(*arena));
}

TEST(ArenaMemory, EndsWithoutATrace) {
  FakePages pages;
  CountingUpstream upstream;
  for (int i = 0; i < 5; ++i) {
    const auto arena = MakeArena(&upstream, Quick(), &pages);
    EXPECT_TRUE(Steps(*arena, 8, {kMiB}));
    EXPECT_EQ(pages.reservations, 1);
  }
  EXPECT_EQ(pages.reservations, 0);
  EXPECT_EQ(upstream.blocks, 0);
}

}  // namespace
}  // namespace plimsoll
