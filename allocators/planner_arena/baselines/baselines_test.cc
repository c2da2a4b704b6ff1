// The arena and each design it is compared with, under one face.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <vector>

#include "allocators/planner_arena/baselines/arena_step_memory.h"
#include "allocators/planner_arena/baselines/bump_reset.h"
#include "allocators/planner_arena/baselines/deeprec_baseline.h"
#include "allocators/planner_arena/baselines/one_shot.h"

namespace plimsoll {
namespace {

constexpr size_t kKiB = 1024;

ArenaConfiguration Quick() {
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 1;
  configuration.stable_statistic_step = 2;
  configuration.max_statistic_step = 5;
  configuration.reserve_bytes = uint64_t{1} << 32;
  configuration.plan_in_background = false;
  return configuration;
}

// Two blocks that meet, one after them, and a small one; contents are verified.
void Step(StepMemory& memory) {
  memory.BeginStep();
  void* const a = memory.allocate(40 * kKiB, 64);
  std::memset(a, 1, 40 * kKiB);
  void* const b = memory.allocate(100 * kKiB, 64);
  std::memset(b, 2, 100 * kKiB);
  void* const small = memory.allocate(100, 8);
  std::memset(small, 3, 100);
  EXPECT_EQ(static_cast<char*>(a)[40 * kKiB - 1], 1);
  memory.deallocate(a, 40 * kKiB, 64);
  void* const c = memory.allocate(40 * kKiB, 64);
  std::memset(c, 4, 40 * kKiB);
  EXPECT_EQ(static_cast<char*>(b)[0], 2);
  EXPECT_EQ(static_cast<char*>(small)[99], 3);
  memory.deallocate(small, 100, 8);
  memory.deallocate(b, 100 * kKiB, 64);
  memory.deallocate(c, 40 * kKiB, 64);
  memory.EndStep();
}

template <typename Memory>
std::unique_ptr<StepMemory> Make() {
  if constexpr (std::is_same_v<Memory, BumpReset>) {
    return std::make_unique<BumpReset>();
  } else {
    return std::make_unique<Memory>(Quick());
  }
}

template <typename Memory>
class EveryStepMemory : public testing::Test {};
using Memories = testing::Types<ArenaStepMemory, DeepRecBaseline, BumpReset, OneShot>;
TYPED_TEST_SUITE(EveryStepMemory, Memories);

TYPED_TEST(EveryStepMemory, ServesTheSteadyState) {
  const std::unique_ptr<StepMemory> memory = Make<TypeParam>();
  for (int i = 0; i < 10; ++i) Step(*memory);
  const StepMemoryStats before = memory->Stats();
  for (int i = 0; i < 10; ++i) Step(*memory);
  const StepMemoryStats after = memory->Stats();
  EXPECT_GE(after.hits - before.hits, 30);
  EXPECT_EQ(after.misses, before.misses);
  EXPECT_GE(after.held_bytes, static_cast<int64_t>(140 * kKiB));
  EXPECT_GE(after.most_held_bytes, after.held_bytes);
}

TYPED_TEST(EveryStepMemory, ServesWhatItDidNotExpect) {
  const std::unique_ptr<StepMemory> memory = Make<TypeParam>();
  for (int i = 0; i < 10; ++i) Step(*memory);
  memory->BeginStep();
  std::vector<std::pair<void*, size_t>> blocks;
  for (size_t size = 1; size < 1000 * kKiB; size = size * 3 + 1) {
    void* const block = memory->allocate(size, 64);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    std::memset(block, static_cast<int>(blocks.size()), size);
    blocks.emplace_back(block, size);
  }
  void* const aligned = memory->allocate(100, 4096);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(aligned) % 4096, 0u);
  memory->deallocate(aligned, 100, 4096);
  memory->EndStep();
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto& [block, size] = blocks[i];
    EXPECT_EQ(static_cast<unsigned char*>(block)[size - 1], i);
    memory->deallocate(block, size, 64);
  }
  Step(*memory);
}

TEST(DeepRecBaseline, InstallsWhatTheRuleSays) {
  DeepRecBaseline memory(Quick());
  // One passes, one brings the plan, two are stable.
  for (int i = 0; i < 3; ++i) Step(memory);
  EXPECT_FALSE(memory.installed());
  Step(memory);
  EXPECT_TRUE(memory.installed());
  // 40 KiB and a header: eleven bins of 4 KiB; 100 KiB: 26; bins of 8 and 16 KiB hold more.
  EXPECT_EQ(memory.pool_bytes(), static_cast<int64_t>((44 + 104) * kKiB));
  EXPECT_EQ(memory.Stats().held_bytes, memory.pool_bytes());
  const int64_t upstream_calls = memory.Stats().upstream_calls;
  Step(memory);
  // The small one bypasses the pool.
  EXPECT_EQ(memory.Stats().upstream_calls, upstream_calls + 1);
  EXPECT_EQ(memory.Stats().hits, 3);
  EXPECT_EQ(memory.locks(), 6);
}

TEST(DeepRecBaseline, EndsAtTheMostSteps) {
  DeepRecBaseline memory(Quick());
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(memory.installed());
    memory.BeginStep();
    std::vector<void*> blocks;  // one more in each step: never stable
    for (int n = 0; n <= i; ++n) blocks.push_back(memory.allocate(40 * kKiB, 64));
    for (void* block : blocks) memory.deallocate(block, 40 * kKiB, 64);
    memory.EndStep();
  }
  EXPECT_TRUE(memory.installed());
  EXPECT_EQ(memory.pool_bytes(), static_cast<int64_t>(6 * 44 * kKiB));
}

TEST(BumpReset, HoldsAllThatAStepAsksFor) {
  BumpReset memory;
  for (int i = 0; i < 3; ++i) Step(memory);
  EXPECT_EQ(memory.Stats().held_bytes, static_cast<int64_t>(180 * kKiB + 128));
}

TEST(BumpReset, KeepsItsPlaceWhileABlockIsLive) {
  BumpReset memory;
  for (int i = 0; i < 2; ++i) Step(memory);
  memory.BeginStep();
  auto* const kept = static_cast<char*>(memory.allocate(40 * kKiB, 64));
  std::memset(kept, 9, 40 * kKiB);
  memory.EndStep();
  Step(memory);
  EXPECT_EQ(kept[0], 9);
  EXPECT_EQ(kept[40 * kKiB - 1], 9);
  memory.deallocate(kept, 40 * kKiB, 64);
}

TEST(OneShot, PlansOnceAndPacks) {
  OneShot memory(Quick());
  Step(memory);
  EXPECT_EQ(memory.height(), 0);
  for (int i = 0; i < 3; ++i) Step(memory);
  EXPECT_EQ(memory.height(), static_cast<int64_t>(140 * kKiB + 128));
  // Its bytes are in use: the block is not handed out again.
  memory.BeginStep();
  auto* const kept = static_cast<char*>(memory.allocate(40 * kKiB, 64));
  std::memset(kept, 9, 40 * kKiB);
  memory.EndStep();
  const int64_t misses = memory.Stats().misses;
  Step(memory);
  EXPECT_GT(memory.Stats().misses, misses);
  EXPECT_EQ(kept[0], 9);
  EXPECT_EQ(kept[40 * kKiB - 1], 9);
  memory.deallocate(kept, 40 * kKiB, 64);
}

}  // namespace
}  // namespace plimsoll
