#include "allocators/workspace/workspace.h"

#include <sys/resource.h>

#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "allocators/allocation_error.h"
#include "allocators/workspace/device_memory.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using Builder = WorkspaceConfigurationBuilder;

Builder Fixed(int64_t bytes) {
  return Builder().InitialSize(bytes).Allocation(AllocationPolicy::kStrict);
}

uintptr_t Address(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

TEST(Workspace, ServesPmrContainersByMovingAnOffset) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Fixed(1 << 20), "WS", options);
  for (int cycle = 0; cycle < 3; ++cycle) {
    const WorkspaceScope scope = Must(ws->Enter());
    std::pmr::vector<int> numbers(ws.get());
    for (int i = 0; i < 1000; ++i) numbers.push_back(i);
    std::pmr::string text("a string that is too long to be kept inside", ws.get());
    EXPECT_EQ(numbers[999], 999);
    EXPECT_EQ(text.size(), 43u);
  }
  EXPECT_EQ(upstream.calls(), 1u) << "its memory, once";
}

TEST(Workspace, RoundsRequestsUpToItsAlignment) {
  for (const int64_t alignment : {8, 64, 4096}) {
    const auto ws = MakeWorkspace(Fixed(1 << 20).Alignment(alignment));
    const WorkspaceScope scope = Must(ws->Enter());
    uint64_t offset = 0;
    for (const size_t bytes : {1, 7, 8, 9, 63, 64, 65, 5000}) {
      const auto unit = static_cast<uint64_t>(alignment);
      const void* pointer = ws->allocate(bytes, 1);
      EXPECT_EQ(Address(pointer) % unit, 0u);
      offset += (bytes + unit - 1) / unit * unit;
      EXPECT_EQ(ws->offset(), offset) << bytes << " bytes at " << alignment;
    }
  }
}

TEST(Workspace, HonoursAlignmentsBeyondItsOwnAndItsBases) {
  const auto ws = MakeWorkspace(Fixed(1 << 20));
  const WorkspaceScope scope = Must(ws->Enter());
  for (size_t alignment = 1; alignment <= 64 << 10; alignment *= 2) {
    static_cast<void>(ws->allocate(1, 1));
    EXPECT_EQ(Address(ws->allocate(10, alignment)) % alignment, 0u);
  }
  EXPECT_EQ(ws->Statistics().spilled, 0u);
  EXPECT_EQ(Address(ws->allocate(2 << 20, 4096)) % 4096, 0u) << "spilled";
  EXPECT_THAT(ErrorOf(ws->TryAllocate(8, 24)),
              HasSubstr("request at alignment 24: expected a power of two"));
}

TEST(Workspace, UsesItsLastByte) {
  const auto ws = MakeWorkspace(Fixed(256).Spill(SpillPolicy::kFail));
  const WorkspaceScope scope = Must(ws->Enter());
  static_cast<void>(ws->allocate(248, 8));
  static_cast<void>(ws->allocate(8, 8));
  EXPECT_EQ(ws->offset(), 256u);
  EXPECT_THROW(static_cast<void>(ws->allocate(1, 1)), AllocationError);
}

TEST(Workspace, TakesNothingFromUpstreamInSteadyState) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Builder(), "WS", options);
  const auto cycle = [&] {
    const WorkspaceScope scope = Must(ws->Enter());
    for (size_t i = 1; i <= 100; ++i) static_cast<void>(ws->allocate(i * 10, 8));
  };
  for (int i = 0; i < 3; ++i) cycle();
  const uint64_t calls = upstream.calls();
  for (int i = 0; i < 1000; ++i) cycle();
  EXPECT_EQ(upstream.calls(), calls);
  EXPECT_EQ(ws->Statistics().resizes, 1u);
}

// A sanitizer's shadow has pages of its own.
#if !defined(PLIMSOLL_ASAN) && !defined(PLIMSOLL_TSAN)
TEST(Workspace, TouchesNoNewPageInSteadyState) {
  const auto ws = MakeWorkspace(Builder());
  const auto cycle = [&] {
    const WorkspaceScope scope = Must(ws->Enter());
    for (size_t i = 1; i <= 50; ++i) std::memset(ws->allocate(i << 10, 64), 'x', i << 10);
  };
  const auto faults = [] {
    rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
  };
  for (int i = 0; i < 3; ++i) cycle();
  const long before = faults();
  for (int i = 0; i < 1000; ++i) cycle();
  EXPECT_EQ(faults() - before, 0);
}
#endif

TEST(Workspace, SpillsAreFreedWhenTheScopeCloses) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  for (const LearningPolicy learning : {LearningPolicy::kNone, LearningPolicy::kFirstLoop}) {
    const auto ws = MakeWorkspace(Fixed(1024).Learning(learning), "WS", options);
    std::optional<WorkspaceScope> scope = Must(ws->Enter());
    static_cast<void>(ws->allocate(1024, 8));
    static_cast<void>(ws->allocate(5000, 8));
    EXPECT_EQ(upstream.live_bytes(), 6024u);
    EXPECT_EQ(ws->Statistics().external_count, 1u);
    scope.reset();
    EXPECT_EQ(upstream.live_bytes(), 1024u);
  }
}

TEST(Workspace, WhatIsAllocatedWhileSwitchedOffLivesUntilItIsDeallocated) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Fixed(1024), "WS", options);
  std::optional<std::pmr::vector<char>> outside;
  {
    const WorkspaceScope scope = Must(ws->Enter());
    const SwitchedOff off(*ws);
    EXPECT_THAT(ws->Describe(), HasSubstr("switched off"));
    outside.emplace(500, 'x', ws.get());
    EXPECT_EQ(ws->offset(), 0u);
    EXPECT_EQ(ws->Statistics().outside, 500u);
    EXPECT_EQ(ws->Statistics().outside_count, 1u);
  }
  {
    const WorkspaceScope scope = Must(ws->Enter());
    EXPECT_FALSE(ws->outside());
    static_cast<void>(ws->allocate(1024, 8));
    EXPECT_THAT(*outside, Each('x'));
  }
  EXPECT_EQ(upstream.live_bytes(), 1524u);
  outside.reset();
  EXPECT_EQ(upstream.live_bytes(), 1024u);
  EXPECT_EQ(ws->Statistics().max_cycle, 1024u);
}

TEST(Workspace, TheEndOfTheCycleSwitchesOnAgain) {
  const auto ws = MakeWorkspace(Fixed(1024));
  Must(ws->Open());
  Must(ws->SwitchOff());
  Must(ws->Close());
  Must(ws->Open());
  EXPECT_FALSE(ws->outside());
  Must(ws->Close());
}

TEST(Workspace, BorrowingNeitherResetsNorAges) {
  const auto ws = MakeWorkspace(Fixed(1024), "A");
  const auto other = MakeWorkspace(Fixed(1024), "B");
  const WorkspaceScope scope = Must(ws->Enter());
  static_cast<void>(ws->allocate(100, 8));
  {
    const WorkspaceScope inner = Must(other->Enter());
    const WorkspaceScope borrowed = Must(ws->Borrow());
    EXPECT_EQ(CurrentWorkspace(), ws.get());
    EXPECT_EQ(ws->offset(), 104u);
    static_cast<void>(ws->allocate(100, 8));
  }
  EXPECT_EQ(ws->offset(), 208u);
  EXPECT_EQ(ws->generation(), 1u);
  EXPECT_EQ(ws->Statistics().cycles, 0u);
}

TEST(Workspace, TheCycleEndsWithTheLastOpeningInWhateverOrder) {
  const auto ws = MakeWorkspace(Fixed(1024));
  WorkspaceScope first = Must(ws->Enter());
  WorkspaceScope second = Must(ws->Enter());
  WorkspaceScope borrowed = Must(ws->Borrow());
  static_cast<void>(ws->allocate(100, 8));
  Must(first.Close());
  Must(second.Close());
  EXPECT_TRUE(ws->open()) << "it is borrowed";
  EXPECT_EQ(ws->offset(), 104u);
  Must(borrowed.Close());
  EXPECT_FALSE(ws->open());
  EXPECT_EQ(ws->Statistics().cycles, 1u);
}

TEST(Workspace, OpenAndCloseByHandNestWithScopes) {
  const auto ws = MakeWorkspace(Fixed(1024));
  Must(ws->Open());
  WorkspaceScope scope = Must(ws->Enter());
  Must(ws->Close());  // the innermost opening, which is the scope's
  EXPECT_TRUE(ws->open());
  Must(scope.Close());  // gone already
  EXPECT_TRUE(ws->open());
  Must(ws->Close());
  EXPECT_FALSE(ws->open());
}

TEST(Workspace, DestroyedWhileOpenItLeavesNothingCurrent) {
  auto ws = MakeWorkspace(Fixed(1024));
  WorkspaceScope scope = Must(ws->Enter());
  const WorkspaceScope again = Must(ws->Enter());
  ws.reset();
  EXPECT_EQ(CurrentWorkspace(), nullptr);
  EXPECT_EQ(ThreadScopes::Here().depth(), 0u);
  EXPECT_TRUE(scope.Close().has_value());
}

TEST(Workspace, FirstLoopWaitsForACycleThatAllocates) {
  const auto ws = MakeWorkspace(Builder().Allocation(AllocationPolicy::kStrict));
  Must(ws->Open());
  Must(ws->Close());
  EXPECT_EQ(ws->current_size(), 0u);
  Must(ws->Open());
  static_cast<void>(ws->allocate(100, 8));
  Must(ws->Close());
  EXPECT_EQ(ws->current_size(), 104u);
  Must(ws->Open());
  static_cast<void>(ws->allocate(1000, 8));
  Must(ws->Close());
  EXPECT_EQ(ws->current_size(), 104u) << "EXTERNAL does not grow";
}

TEST(Workspace, InitializeByHandRegrowsOnlyWhenItReallocates) {
  for (const SpillPolicy spill : {SpillPolicy::kExternal, SpillPolicy::kReallocate}) {
    const auto ws = MakeWorkspace(Builder()
                                      .Allocation(AllocationPolicy::kStrict)
                                      .Learning(LearningPolicy::kOverTime)
                                      .CyclesBeforeInitialization(1000)
                                      .Spill(spill));
    for (const size_t bytes : {100, 1000}) {
      Must(ws->Open());
      static_cast<void>(ws->allocate(bytes, 8));
      Must(ws->Close());
      Must(ws->Initialize());
    }
    EXPECT_EQ(ws->current_size(), spill == SpillPolicy::kExternal ? 104u : 1000u);
  }
}

TEST(Workspace, FailedGrowthKeepsWhatThereIsAndSaysSo) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Fixed(1024).Spill(SpillPolicy::kReallocate), "WS", options);
  for (int cycle = 0; cycle < 2; ++cycle) {
    Must(ws->Open());
    static_cast<void>(ws->allocate(5000, 8));
    if (cycle == 0) upstream.RefuseAbove(4000);
    if (cycle == 1) upstream.RefuseAbove(UINT64_MAX);
    Must(ws->Close());
    if (cycle == 0) upstream.RefuseAbove(UINT64_MAX);
    if (cycle == 0) {
      EXPECT_EQ(ws->current_size(), 1024u);
      EXPECT_EQ(ws->Statistics().failed_resizes, 1u);
      EXPECT_THAT(ws->Statistics().last_failure, HasSubstr("no memory for 5000 bytes"));
    }
  }
  EXPECT_EQ(ws->current_size(), 5000u);
}

TEST(Workspace, ASpillThatCannotBeHadIsAnErrorAndChangesNothing) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Fixed(1024), "WS", options);
  const WorkspaceScope scope = Must(ws->Enter());
  upstream.RefuseAbove(4000);
  EXPECT_THAT(ErrorOf(ws->TryAllocate(5000, 8)),
              AllOf(HasSubstr("workspace 'WS' (open, generation 1): spill 5000 bytes"),
                    HasSubstr("std::bad_alloc")));
  EXPECT_EQ(ws->Statistics().this_cycle, 0u);
  EXPECT_EQ(ws->Statistics().external_count, 0u);
}

TEST(Workspace, ACircularCycleNeverOverwritesItself) {
  const auto ws = MakeWorkspace(Fixed(1024).Reset(ResetPolicy::kEndOfBufferReached));
  Must(ws->Open());
  static_cast<void>(ws->allocate(512, 8));
  Must(ws->Close());
  const WorkspaceScope scope = Must(ws->Enter());
  std::vector<char*> blocks;
  for (int i = 0; i < 12; ++i) {
    blocks.push_back(static_cast<char*>(ws->allocate(128, 8)));
    std::memset(blocks.back(), 'a' + i, 128);
  }
  // 512 bytes to the end, the 512 of the cycle before, and the rest beyond the buffer.
  EXPECT_EQ(ws->Statistics().pinned, 4 * 128u);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(blocks[static_cast<size_t>(i)][127], 'a' + i) << "block " << i;
  }
}

TEST(Workspace, CircularSpillsDoNotPileUpWhileNothingIsLearned) {
  // 1000 cycles until the first wrap could free anything.
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Builder()
                                    .Reset(ResetPolicy::kEndOfBufferReached)
                                    .OverallocationLimit(1.0)
                                    .Learning(LearningPolicy::kOverTime)
                                    .CyclesBeforeInitialization(1000),
                                "WS", options);
  for (int cycle = 0; cycle < 500; ++cycle) {
    const WorkspaceScope scope = Must(ws->Enter());
    static_cast<void>(ws->allocate(1000, 8));
  }
  EXPECT_LE(upstream.peak_bytes(), 8'000u);
}

TEST(Workspace, CircularDebugSpillsDoNotPileUp) {
  std::atomic<WorkspaceDebugMode> mode{WorkspaceDebugMode::kSpillEverything};
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  options.debug_mode = &mode;
  const auto ws = MakeWorkspace(Fixed(1024).Reset(ResetPolicy::kEndOfBufferReached), "WS", options);
  for (int cycle = 0; cycle < 500; ++cycle) {
    const WorkspaceScope scope = Must(ws->Enter());
    static_cast<void>(ws->allocate(1000, 8));
  }
  EXPECT_LE(upstream.peak_bytes(), 1024u + 5'000u);
}

TEST(Workspace, MirroredFullyEveryBlockHasATwinAtTheSamePlace) {
  CountingResource device_memory;
  HostStandInDevice device(&device_memory);
  WorkspaceOptions options;
  options.device = &device;
  const auto ws = MakeWorkspace(Fixed(1024), "WS", options);
  EXPECT_EQ(ws->Statistics().device_size, 1024u);
  {
    const WorkspaceScope scope = Must(ws->Enter());
    const WorkspaceBlock first = Must(ws->TryAllocate(100, 8));
    const WorkspaceBlock second = Must(ws->TryAllocate(100, 8));
    ASSERT_NE(first.device, nullptr);
    EXPECT_EQ(second.device - first.device, second.host - first.host);
    const WorkspaceBlock spilled = Must(ws->TryAllocate(5000, 8));
    ASSERT_NE(spilled.device, nullptr);
    EXPECT_EQ(device_memory.live_bytes(), 6024u);
  }
  EXPECT_EQ(device_memory.live_bytes(), 1024u);
}

TEST(Workspace, HostOnlyLeavesTheDeviceAlone) {
  CountingResource device_memory;
  HostStandInDevice device(&device_memory);
  WorkspaceOptions options;
  options.device = &device;
  const auto ws = MakeWorkspace(Fixed(1024).Mirroring(MirroringPolicy::kHostOnly), "WS", options);
  const WorkspaceScope scope = Must(ws->Enter());
  EXPECT_EQ(Must(ws->TryAllocate(100, 8)).device, nullptr);
  EXPECT_EQ(device_memory.calls(), 0u);
}

TEST(Workspace, ADeviceThatIsFullLeavesTheHostClean) {
  CountingResource host;
  CountingResource device_memory;
  HostStandInDevice device(&device_memory);
  WorkspaceOptions options;
  options.upstream = &host;
  options.device = &device;
  const auto ws = MakeWorkspace(Fixed(1024), "WS", options);
  const WorkspaceScope scope = Must(ws->Enter());
  device_memory.RefuseAbove(2000);
  EXPECT_THAT(ErrorOf(ws->TryAllocate(5000, 8)),
              HasSubstr("device 'host stand-in': 5000 bytes: std::bad_alloc"));
  EXPECT_EQ(host.live_bytes(), 1024u);
}

TEST(Workspace, BytePoisonFillsWhatACycleUsedWhenItEnds) {
  WorkspaceOptions options;
  options.poison_bytes = true;
  const auto ws = MakeWorkspace(Fixed(1024), "WS", options);
  std::optional<WorkspaceScope> scope = Must(ws->Enter());
  std::memset(ws->allocate(100, 8), 'x', 100);
  scope.reset();
  scope = Must(ws->Enter());
  const auto* again = static_cast<const unsigned char*>(ws->allocate(104, 8));
  EXPECT_THAT(std::vector<unsigned char>(again, again + 104), Each(kResetByte));
}

TEST(Workspace, BytePoisonLeavesMappedFilesAlone) {
  WorkspaceOptions options;
  options.poison_bytes = true;
  const auto ws = MakeWorkspace(Fixed(4096).Location(LocationPolicy::kMmap), "WS", options);
  std::optional<WorkspaceScope> scope = Must(ws->Enter());
  std::memset(ws->allocate(100, 8), 'x', 100);
  scope = std::nullopt;
  scope = Must(ws->Enter());
  EXPECT_EQ(static_cast<const char*>(ws->allocate(100, 8))[99], 'x');
}

TEST(Workspace, BytePoisonIsOnInDebugBuildsOnly) {
#if defined(NDEBUG)
  EXPECT_FALSE(WorkspaceOptions().poison_bytes);
#else
  EXPECT_TRUE(WorkspaceOptions().poison_bytes);
#endif
}

#if defined(PLIMSOLL_ASAN)
TEST(WorkspaceAsanDeathTest, TouchingResetMemoryIsReported) {
  const auto ws = MakeWorkspace(Fixed(1024));
  Must(ws->Open());
  auto* leaked = static_cast<volatile char*>(ws->allocate(100, 8));
  leaked[99] = 1;
  Must(ws->Close());
  EXPECT_DEATH(leaked[99] = 2, "use-after-poison");
}

TEST(WorkspaceAsanDeathTest, RunningPastAnArrayIsReported) {
  const auto ws = MakeWorkspace(Fixed(1024));
  const WorkspaceScope scope = Must(ws->Enter());
  auto* array = static_cast<volatile char*>(ws->allocate(100, 8));
  EXPECT_DEATH(array[100] = 1, "use-after-poison");
}
#endif

TEST(WorkspaceStatistics, InTheWordsOfAllAllocators) {
  const auto ws = MakeWorkspace(Fixed(1024).MaxSize(1 << 20));
  {
    const WorkspaceScope scope = Must(ws->Enter());
    static_cast<void>(ws->allocate(1000, 8));
    static_cast<void>(ws->allocate(5000, 8));
    const SwitchedOff off(*ws);
    const std::pmr::vector<char> outside(300, ws.get());
    const AllocatorStats stats = ws->Stats();
    EXPECT_EQ(stats.num_allocs, 3);
    EXPECT_EQ(stats.bytes_in_use, 6300);
    EXPECT_EQ(stats.peak_bytes_in_use, 6300);
    EXPECT_EQ(stats.largest_alloc_size, 5000);
    EXPECT_EQ(stats.bytes_limit, 1 << 20);
    EXPECT_EQ(stats.bytes_reserved, 6324);
    EXPECT_EQ(stats.largest_free_block, 24);
  }
  const AllocatorStats stats = ws->Stats();
  EXPECT_EQ(stats.bytes_in_use, 0);
  EXPECT_EQ(stats.peak_bytes_in_use, 6300);
  EXPECT_EQ(stats.bytes_reserved, 1024);
  EXPECT_EQ(stats.peak_bytes_reserved, 6324);
}

TEST(WorkspaceStatistics, EveryFieldInTextAndJson) {
  const auto ws = MakeWorkspace(Fixed(1024), "ITER");
  const WorkspaceScope scope = Must(ws->Enter());
  static_cast<void>(ws->allocate(1000, 8));
  static_cast<void>(ws->allocate(5000, 8));
  const WorkspaceStatistics s = ws->Statistics();
  EXPECT_EQ(s.thread, ThreadScopes::Here().number());
  EXPECT_EQ(StatisticsText(s),
            "workspace 'ITER' of thread " + std::to_string(s.thread) +
                ": open, size 1.00 KiB, offset 1000 B, spilled 4.88 KiB in 1, this cycle 5.86 "
                "KiB, last 0 B, largest 0 B, cycles 0, step 0, generation 1");
}

}  // namespace
}  // namespace plimsoll
