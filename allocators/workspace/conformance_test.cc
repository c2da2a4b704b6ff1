// ND4J's own expectations of its workspaces, row by row and in their order. Arrays are
// of 8-byte doubles where the row counts elements, and of bytes where it counts bytes.

#include <atomic>
#include <barrier>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "allocators/allocation_error.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Builder = WorkspaceConfigurationBuilder;
using Doubles = TypedArray<double>;
using Bytes = TypedArray<char>;

constexpr uint64_t kDouble = sizeof(double);
constexpr int64_t k10MiB = 10 << 20;

// Their basicConfig: fixed at 10 MiB.
Builder Basic() {
  return Builder().InitialSize(k10MiB).MaxSize(k10MiB).OverallocationLimit(0.1).Allocation(
      AllocationPolicy::kStrict);
}

// Their loopFirstConfig: learned from the first cycle.
Builder FirstLoop() {
  return Builder().MaxSize(k10MiB).OverallocationLimit(0.1).Allocation(AllocationPolicy::kStrict);
}

Doubles MakeDoubles(size_t size) { return Must(Doubles::Create(size)); }

double Sum(const Doubles& array) {
  const std::span<double> values = Must(array.values());
  return std::accumulate(values.begin(), values.end(), 0.0);
}

Builder Mapped() { return Builder().InitialSize(1'000'000).Location(LocationPolicy::kMmap); }

// One cycle that makes one array.
void Cycle(Workspace& workspace, size_t doubles) {
  const WorkspaceScope scope = Must(workspace.Enter());
  MakeDoubles(doubles);
}

TEST(Nd4jConformance, Row01_Min10MiBAtLimit1_IsZeroInLoop1_AndExactly10MiBInLoop2) {
  const auto ws = MakeWorkspace(Builder().MinSize(k10MiB).OverallocationLimit(1.0));
  {
    const WorkspaceScope scope = Must(ws->Enter());
    MakeDoubles(100);
    EXPECT_EQ(ws->current_size(), 0u);
  }
  const WorkspaceScope scope = Must(ws->Enter());
  MakeDoubles(100);
  EXPECT_EQ(ws->current_size(), 10_MiB);
}

TEST(Nd4jConformance, Row02_Initial1024AtLimit1_Is2048) {
  const auto ws =
      MakeWorkspace(Builder().InitialSize(1024).MaxSize(k10MiB).OverallocationLimit(1.0).Learning(
          LearningPolicy::kNone));
  EXPECT_EQ(ws->current_size(), 2048u);
}

TEST(Nd4jConformance, Row03_FirstLoopOf100Elements_IsSizedFor200) {
  const auto ws = MakeWorkspace(Builder().MaxSize(k10MiB).OverallocationLimit(1.0));
  EXPECT_EQ(ws->current_size(), 0u);
  Cycle(*ws, 100);
  EXPECT_EQ(ws->current_size(), 200 * kDouble);
}

TEST(Nd4jConformance, Row04_OverTime10To100AndInitializedByHand_IsSizedFor200) {
  const auto ws = MakeWorkspace(Builder()
                                    .MaxSize(k10MiB)
                                    .OverallocationLimit(1.0)
                                    .Learning(LearningPolicy::kOverTime)
                                    .CyclesBeforeInitialization(1000));
  for (size_t x = 10; x <= 100; x += 10) Cycle(*ws, x);
  EXPECT_EQ(ws->current_size(), 0u);
  Must(ws->Initialize());
  EXPECT_EQ(ws->current_size(), 200 * kDouble);
}

TEST(Nd4jConformance, Row05_FailThrows_OffsetUnchanged_NextSmallAllocationSucceeds) {
  const auto ws = MakeWorkspace(Builder()
                                    .InitialSize(1 << 20)
                                    .MaxSize(1 << 20)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Spill(SpillPolicy::kFail));
  const WorkspaceScope scope = Must(ws->Enter());
  MakeDoubles(5);
  EXPECT_EQ(ws->offset(), 5 * kDouble);
  EXPECT_THROW(static_cast<void>(ws->allocate(80'000'000)), AllocationError);
  EXPECT_THAT(ErrorOf(Doubles::Create(10'000'000)),
              AllOf(HasSubstr("'WS' (open"), HasSubstr("full"), HasSubstr("80000000 bytes"),
                    HasSubstr("1048576 bytes"), HasSubstr("FAIL")));
  EXPECT_EQ(ws->offset(), 5 * kDouble);
  MakeDoubles(5);
  EXPECT_EQ(ws->offset(), 2 * 5 * kDouble);
}

TEST(Nd4jConformance, Row06_SwitchedOffBytesAreNotLearned) {
  const auto ws = MakeWorkspace(FirstLoop());
  for (int loop = 1; loop <= 2; ++loop) {
    const WorkspaceScope scope = Must(ws->Enter());
    MakeDoubles(100);
    {
      const SwitchedOff off(*ws);
      const Doubles outside = MakeDoubles(100);
      EXPECT_FALSE(outside.attached());
      std::fill(outside.unchecked().begin(), outside.unchecked().end(), 1.0);
      EXPECT_EQ(Sum(outside), 100.0);
    }
    EXPECT_EQ(ws->offset(), loop == 2 ? 100 * kDouble : 0);
    MakeDoubles(100);
    EXPECT_EQ(ws->offset(), loop == 2 ? 200 * kDouble : 0);
  }
  EXPECT_EQ(ws->offset(), 0u);
  EXPECT_EQ(ws->current_size(), 200 * kDouble);
}

TEST(Nd4jConformance, Row07_OffsetIsZeroOutsideTheScope) {
  const auto ws = MakeWorkspace(FirstLoop());
  for (int loop = 0; loop < 3; ++loop) {
    EXPECT_EQ(ws->offset(), 0u);
    const WorkspaceScope scope = Must(ws->Enter());
    EXPECT_EQ(ws->offset(), 0u);
    MakeDoubles(110);
    EXPECT_EQ(ws->offset(), loop == 0 ? 0u : 110 * kDouble);
  }
  EXPECT_EQ(ws->offset(), 0u);
  EXPECT_EQ(ws->current_size(), 110 * kDouble);
}

TEST(Nd4jConformance, Row08_BreakOrExceptionInsideAScopeRestoresTheOuterOne) {
  const auto outer = MakeWorkspace(Basic(), "EXT");
  const auto inner = MakeWorkspace(Basic(), "INT");
  EXPECT_EQ(CurrentWorkspace(), nullptr);
  {
    const WorkspaceScope outer_scope = Must(outer->Enter());
    for (int i = 0; i < 3; ++i) {
      const WorkspaceScope inner_scope = Must(inner->Enter());
      EXPECT_EQ(CurrentWorkspace(), inner.get());
      if (i == 1) break;
    }
    EXPECT_EQ(CurrentWorkspace(), outer.get());
    try {
      const WorkspaceScope inner_scope = Must(inner->Enter());
      MakeDoubles(10);
      throw std::runtime_error("a training step failed");
    } catch (const std::runtime_error&) {
    }
    EXPECT_EQ(CurrentWorkspace(), outer.get());
    EXPECT_FALSE(inner->open());
    EXPECT_EQ(inner->offset(), 0u);
  }
  EXPECT_EQ(CurrentWorkspace(), nullptr);
}

TEST(Nd4jConformance, Row09_LeverageMovesTheTargetsOffsetAndTheDataSurvives) {
  const auto ext = MakeWorkspace(Basic(), "EXT");
  const auto in = MakeWorkspace(Basic(), "INT");
  const WorkspaceScope outer = Must(ext->Enter());
  std::optional<Doubles> by_parent;
  std::optional<Doubles> by_id;
  {
    const WorkspaceScope inner = Must(in->Enter());
    const Doubles array = Must(Doubles::Create({1, 2, 3, 4, 5}));
    EXPECT_EQ(ext->offset(), 0u);
    EXPECT_EQ(in->offset(), 5 * kDouble);
    by_parent = Must(array.Leverage());
    EXPECT_EQ(in->offset(), 5 * kDouble);
    EXPECT_EQ(ext->offset(), 5 * kDouble);
    EXPECT_TRUE(by_parent->attached());
    by_id = Must(array.LeverageTo("EXT"));
    EXPECT_EQ(ext->offset(), 2 * 5 * kDouble);
  }
  {
    const WorkspaceScope inner = Must(in->Enter());
    const Doubles over = MakeDoubles(100);
    std::fill(over.unchecked().begin(), over.unchecked().end(), -1.0);
  }
  EXPECT_EQ(Sum(*by_parent), 15.0);
  EXPECT_EQ(Sum(*by_id), 15.0);
}

TEST(Nd4jConformance, Row10_ScopeOutArrayIsUnattached) {
  const auto ws = MakeWorkspace(Basic(), "EXT");
  const WorkspaceScope scope = Must(ws->Enter());
  const Doubles first = Must(Doubles::Create({1, 2, 3, 4, 5}));
  std::optional<Doubles> outside;
  {
    const OutsideScope out;
    EXPECT_EQ(CurrentWorkspace(), nullptr);
    outside = Must(Doubles::Create({1, 2, 3, 4, 5}));
  }
  EXPECT_FALSE(outside->attached());
  EXPECT_EQ(CurrentWorkspace(), ws.get());
  EXPECT_EQ(ws->offset(), 5 * kDouble);
  MakeDoubles(5);
  EXPECT_EQ(ws->offset(), 2 * 5 * kDouble);
  EXPECT_EQ(Sum(first) + Sum(*outside), 30.0);
}

TEST(Nd4jConformance, Row11_DetachKeepsValues) {
  const auto ws = MakeWorkspace(Basic(), "ITER");
  std::optional<Doubles> array;
  std::optional<Doubles> copy;
  {
    const WorkspaceScope scope = Must(ws->Enter());
    array = Must(Doubles::Create({1, 2, 3, 4, 5}));
    copy = Must(array->Detach());
    EXPECT_TRUE(array->attached());
    EXPECT_FALSE(copy->attached());
    EXPECT_EQ(ws->offset(), 5 * kDouble);
  }
  EXPECT_EQ(Sum(*copy), 15.0);
  EXPECT_FALSE(array->values().has_value());
}

void ExpectEveryMoveRefused(const Doubles& array, const std::string& id) {
  for (const std::string& error :
       {ErrorOf(array.Leverage()), ErrorOf(array.LeverageTo(id)),
        ErrorOf(array.LeverageOrDetach(id)), ErrorOf(array.LeverageOrDetach("nowhere")),
        ErrorOf(array.Detach()), ErrorOf(array.Migrate()), ErrorOf(array.Migrate(true)),
        ErrorOf(array.values())}) {
    EXPECT_THAT(error, AllOf(HasSubstr("array of 80 bytes"), HasSubstr("'LEAKED' ("),
                             HasSubstr("made in generation 3"), HasSubstr("open workspaces: ")));
  }
}

TEST(Nd4jConformance, Row12_EveryMoveOfALeakedOrOldGenerationArrayIsAnError) {
  const auto ws = MakeWorkspace(Basic(), "LEAKED");
  const auto other = MakeWorkspace(Basic(), "OTHER");
  std::optional<Doubles> array;
  for (int i = 0; i < 3; ++i) {
    const WorkspaceScope scope = Must(ws->Enter());
    array = MakeDoubles(10);
  }
  EXPECT_TRUE(array->attached());
  ExpectEveryMoveRefused(*array, "OTHER");
  {
    const WorkspaceScope scope = Must(other->Enter());
    ExpectEveryMoveRefused(*array, "OTHER");
    EXPECT_THAT(ErrorOf(array->Attach(*other)), HasSubstr("(closed, generation 3)"));
  }
  const WorkspaceScope again = Must(ws->Enter());
  const WorkspaceScope scope = Must(other->Enter());
  ExpectEveryMoveRefused(*array, "OTHER");
  EXPECT_THAT(ErrorOf(array->Detach()),
              AllOf(HasSubstr("(open, generation 4)"), HasSubstr("'OTHER' (current), 'LEAKED'")));
}

TEST(Nd4jConformance, Row13_MmapDataSurvivesReopen) {
  const auto ws = MakeWorkspace(Mapped());
  {
    const WorkspaceScope scope = Must(ws->Enter());
    const Doubles array = MakeDoubles(100);
    std::fill(array.unchecked().begin(), array.unchecked().end(), 10.0);
  }
  const WorkspaceScope scope = Must(ws->Enter());
  EXPECT_EQ(Sum(MakeDoubles(100)), 1000.0);
}

TEST(Nd4jConformance, Row13_MmapDataOfANamedFileSurvivesItsWorkspace) {
  const std::string path = ::testing::TempDir() + "/row-13";
  for (int run = 0; run < 2; ++run) {
    const auto ws = MakeWorkspace(Mapped().MmapPath(path));
    const WorkspaceScope scope = Must(ws->Enter());
    const Doubles array = MakeDoubles(100);
    if (run == 0) std::fill(array.unchecked().begin(), array.unchecked().end(), 1.0);
    EXPECT_EQ(Sum(array), 100.0) << "run " << run;
  }
  std::filesystem::remove(path);
}

TEST(Nd4jConformance, Row14_ReallocateFollowsTheLargestDemand_WithADelayOf3) {
  const auto ws = MakeWorkspace(Builder()
                                    .Spill(SpillPolicy::kReallocate)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Learning(LearningPolicy::kOverTime)
                                    .CyclesBeforeInitialization(3));
  for (uint64_t i = 1; i <= 10; ++i) {
    Cycle(*ws, 100 * i);
    EXPECT_EQ(ws->current_size(), i < 3 ? 0 : 100 * i * kDouble) << "cycle " << i;
  }
  for (uint64_t i = 10; i >= 1; --i) Cycle(*ws, 100 * i);
  EXPECT_EQ(ws->current_size(), 1000 * kDouble);
}

TEST(Nd4jConformance, Row15_CircularOffsetAccumulates) {
  const auto ws = MakeWorkspace(Builder()
                                    .InitialSize(100 * 100 * kDouble)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Reset(ResetPolicy::kEndOfBufferReached));
  for (uint64_t x = 1; x <= 100; ++x) {
    Cycle(*ws, 100);
    EXPECT_EQ(ws->offset(), x * 100 * kDouble);
  }
}

TEST(Nd4jConformance, Row15_CircularBlockRule_AndWorkspaceIsFiveBlocks) {
  const auto ws = MakeWorkspace(Builder()
                                    .Reset(ResetPolicy::kEndOfBufferReached)
                                    .OverallocationLimit(4.0)
                                    .Learning(LearningPolicy::kOverTime)
                                    .CyclesBeforeInitialization(5));
  constexpr uint64_t kBlock = 100 * kDouble * 13 / 10;
  for (uint64_t x = 1; x <= 100; ++x) {
    Cycle(*ws, 100);
    EXPECT_EQ(ws->current_size(), x < 5 ? 0 : 5 * kBlock) << "cycle " << x;
    EXPECT_EQ(ws->offset(), x <= 5 ? 0 : ((x - 6) % 5 + 1) * kBlock) << "cycle " << x;
  }
  EXPECT_EQ(ws->Statistics().block_size, kBlock);
}

TEST(Nd4jConformance, Row16_CircularSpillPersistsToTheWrap_ThenZero) {
  const auto ws = MakeWorkspace(Builder()
                                    .MinSize(k10MiB)
                                    .OverallocationLimit(1.0)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Reset(ResetPolicy::kEndOfBufferReached));
  {
    const WorkspaceScope scope = Must(ws->Enter());
    MakeDoubles(10'000);
    EXPECT_EQ(ws->current_size(), 0u);
    EXPECT_EQ(ws->Statistics().external_count, 1u);
  }
  EXPECT_EQ(ws->current_size(), 10_MiB);
  EXPECT_EQ(ws->offset(), 0u);
  EXPECT_EQ(ws->Statistics().spilled, 10'000 * kDouble);
  // 100 blocks of 104,000 bytes fit in 10 MiB; the 101st cycle wraps.
  for (int cycle = 1; cycle <= 100; ++cycle) {
    Cycle(*ws, 10'000);
    ASSERT_EQ(ws->Statistics().external_count, 1u) << "cycle " << cycle;
  }
  Cycle(*ws, 10'000);
  EXPECT_EQ(ws->Statistics().external_count, 0u);
  EXPECT_EQ(ws->Statistics().spilled, 0u);
  EXPECT_EQ(ws->offset(), 104'000u);
}

TEST(Nd4jConformance, Row17_PinnedIsFreedAfterTwoFurtherSteps_AllCountersEndAtZero) {
  const auto ws =
      MakeWorkspace(Builder().OverallocationLimit(3.0).Reset(ResetPolicy::kEndOfBufferReached));
  Cycle(*ws, 1000);
  constexpr uint64_t kBlock = 1000 * kDouble * 13 / 10;
  EXPECT_EQ(ws->Statistics().step, 0u);
  EXPECT_EQ(ws->Statistics().spilled, 1000 * kDouble);
  EXPECT_EQ(ws->Statistics().block_size, kBlock);
  EXPECT_EQ(ws->current_size(), 4 * kBlock);

  Cycle(*ws, 2000);
  EXPECT_EQ(ws->Statistics().step, 0u);
  EXPECT_EQ(ws->Statistics().spilled, 1000 * kDouble);
  EXPECT_EQ(ws->Statistics().pinned, 2000 * kDouble);
  EXPECT_EQ(ws->Statistics().pinned_count, 1u);
  EXPECT_EQ(ws->Statistics().this_cycle, 0u);
  EXPECT_EQ(ws->offset(), 0u);

  for (int lap = 0; lap < 4; ++lap) {
    for (uint64_t cycle = 1; cycle <= 4; ++cycle) {
      {
        const WorkspaceScope scope = Must(ws->Enter());
        MakeDoubles(500);
        MakeDoubles(500);
      }
      EXPECT_EQ(ws->offset(), cycle * kBlock) << "lap " << lap;
    }
    EXPECT_EQ(ws->Statistics().pinned_count, lap < 2 ? 1u : 0u) << "lap " << lap;
  }
  for (int round = 0; round < 2; ++round) {
    const WorkspaceStatistics s = ws->Statistics();
    EXPECT_EQ(s.spilled + s.pinned + s.pinned_count + s.external_count, 0u);
    if (round == 1) break;
    for (int cycle = 0; cycle < 100; ++cycle) {
      const WorkspaceScope scope = Must(ws->Enter());
      for (int i = 0; i < 3; ++i) MakeDoubles(500);
      EXPECT_EQ(ws->Statistics().this_cycle, 1500 * kDouble);
    }
    EXPECT_EQ(ws->Statistics().external_count, 0u);
    EXPECT_GT(ws->Statistics().pinned_count, 0u);
    for (int cycle = 0; cycle < 100; ++cycle) Cycle(*ws, 1000);
  }
}

TEST(Nd4jConformance, Row17_ReallocateGrowsTheCircularBlockAfterTwoSteps) {
  const auto ws = MakeWorkspace(Builder()
                                    .OverallocationLimit(3.0)
                                    .Reset(ResetPolicy::kEndOfBufferReached)
                                    .Spill(SpillPolicy::kReallocate));
  constexpr uint64_t kSmall = 8 * 128 * 100;
  Cycle(*ws, kSmall);
  Cycle(*ws, kSmall);
  const uint64_t block = ws->Statistics().block_size;
  EXPECT_EQ(block, kSmall * kDouble * 13 / 10);
  EXPECT_EQ(ws->offset(), block);
  for (uint64_t pins = 1; pins <= 3; ++pins) {
    Cycle(*ws, pins == 1 ? 2 * kSmall : kSmall);
    EXPECT_EQ(ws->offset(), block);
    EXPECT_EQ(ws->Statistics().pinned_count, pins);
  }
  EXPECT_EQ(ws->Statistics().step, 1u);
  for (int i = 0; i < 12; ++i) Cycle(*ws, kSmall);
  EXPECT_EQ(ws->Statistics().step, 4u);
  EXPECT_EQ(ws->Statistics().block_size, 2 * block);
  EXPECT_EQ(ws->current_size(), 4 * 2 * block);
  EXPECT_EQ(ws->offset(), ws->current_size());
  for (int i = 0; i < 12; ++i) Cycle(*ws, 2 * kSmall);
  const WorkspaceStatistics s = ws->Statistics();
  EXPECT_EQ(s.spilled + s.pinned + s.pinned_count + s.external_count, 0u);
}

TEST(Nd4jConformance, Row18_20Threads_20DistinctWorkspaces) {
  WorkspaceManagerOptions options;
  options.default_configuration = Must(Basic().Build());
  WorkspaceManager manager(options);
  std::mutex mutex;
  std::set<const Workspace*> seen;
  std::barrier all_there(20);
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&] {
      const Workspace* workspace = Must(manager.Get("WS"));
      EXPECT_EQ(Must(manager.Get("WS")), workspace);
      {
        const std::lock_guard lock(mutex);
        seen.insert(workspace);
      }
      // Nobody leaves before all are there: an address could be used again.
      all_there.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen.size(), 20u);
}

TEST(Nd4jConformance, Row19_DebugSpill_OffsetIsZero_SpilledIs400Bytes) {
  std::atomic<WorkspaceDebugMode> mode{WorkspaceDebugMode::kSpillEverything};
  WorkspaceOptions options;
  options.debug_mode = &mode;
  const auto ws = MakeWorkspace(Basic(), "R_119_1993", options);
  const WorkspaceScope scope = Must(ws->Enter());
  EXPECT_EQ(ws->current_size(), 10_MiB);
  const TypedArray<float> array = Must(TypedArray<float>::Create(10 * 10));
  EXPECT_TRUE(array.attached());
  EXPECT_EQ(ws->offset(), 0u);
  EXPECT_EQ(ws->Statistics().spilled, 400u);
}

TEST(Nd4jConformance, Row20_Native_128Bytes_TenTimes128Spill1152_NextScopeHas1280) {
  const auto ws = MakeWorkspace(Builder()
                                    .InitialSize(128)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Learning(LearningPolicy::kNone)
                                    .Spill(SpillPolicy::kReallocate));
  {
    const WorkspaceScope scope = Must(ws->Enter());
    Must(Bytes::Create(8));
  }
  EXPECT_EQ(ws->Statistics().spilled, 0u);
  EXPECT_EQ(ws->offset(), 0u);
  {
    const WorkspaceScope scope = Must(ws->Enter());
    for (int i = 0; i < 10; ++i) Must(Bytes::Create(128));
    EXPECT_EQ(ws->Statistics().spilled, 1152u);
  }
  const WorkspaceScope scope = Must(ws->Enter());
  EXPECT_EQ(ws->offset(), 0u);
  Must(Bytes::Create(8));
  EXPECT_EQ(ws->current_size(), 1280u);
  EXPECT_EQ(ws->Statistics().spilled, 0u);
}

}  // namespace
}  // namespace plimsoll
