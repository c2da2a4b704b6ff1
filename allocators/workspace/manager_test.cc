#include "allocators/workspace/manager.h"

#include <stdlib.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "allocators/memory_limit/memory_limit.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

// 1 MiB, exactly.
WorkspaceConfiguration OneMiB() {
  return Must(Builder().InitialSize(1 << 20).Allocation(AllocationPolicy::kStrict).Build());
}

TEST(WorkspaceManager, OneWorkspacePerId) {
  WorkspaceManager manager;
  Workspace* a = Must(manager.Get(OneMiB(), "A"));
  EXPECT_EQ(Must(manager.Get(OneMiB(), "A")), a);
  EXPECT_EQ(Must(manager.Get("A")), a);
  EXPECT_NE(Must(manager.Get(OneMiB(), "B")), a);
  EXPECT_TRUE(manager.Exists("A"));
  EXPECT_FALSE(manager.Exists("C"));
  EXPECT_EQ(manager.workspaces(), 2u);
}

TEST(WorkspaceManager, TwoManagersDoNotShareIds) {
  WorkspaceManager one;
  WorkspaceManager two;
  Workspace* a = Must(one.Get(OneMiB(), "A"));
  EXPECT_FALSE(two.Exists("A"));
  Workspace* b = Must(two.Get(OneMiB(), "A"));
  EXPECT_NE(a, b);
  EXPECT_EQ(Must(one.Get("A")), a);
  EXPECT_EQ(Must(two.Get("A")), b);
}

TEST(WorkspaceManager, ADifferingConfigurationForAnExistingIdIsAnError) {
  WorkspaceManager manager;
  Must(manager.Get(OneMiB(), "A"));
  EXPECT_EQ(
      ErrorOf(manager.Get(
          Must(Builder().InitialSize(2 << 20).Allocation(AllocationPolicy::kStrict).Build()), "A")),
      "workspace 'A': exists with another configuration: initial_size: '1048576' against "
      "'2097152': expected the same, or destroy it first");
}

TEST(WorkspaceManager, UnknownIdIsAnErrorUnlessThereIsADefault) {
  WorkspaceManager manager;
  Must(manager.Get(OneMiB(), "A"));
  Must(manager.Get(OneMiB(), "B"));
  const std::string here = std::to_string(ThreadScopes::Here().OwnNumber());
  EXPECT_EQ(ErrorOf(manager.Get("C")),
            "workspace 'C': unknown on thread " + here +
                ", and there is no default configuration: expected one of 'A', 'B'");
  EXPECT_EQ(ErrorOf(manager.Enter("C")), ErrorOf(manager.Get("C")));
  EXPECT_EQ(ErrorOf(manager.Destroy("C")),
            "workspace 'C': destroy: unknown on thread " + here + ": expected one of 'A', 'B'");
  WorkspaceManagerOptions options;
  options.default_configuration = OneMiB();
  WorkspaceManager with_default(options);
  EXPECT_EQ(Must(with_default.Get("C"))->current_size(), 1_MiB);
}

TEST(WorkspaceManager, DestroyWhileOpenIsAnError) {
  WorkspaceManager manager;
  std::optional<WorkspaceScope> scope = Must(manager.Enter(OneMiB(), "A"));
  EXPECT_EQ(ErrorOf(manager.Destroy("A")),
            "workspace 'A' (open, generation 1): destroy: expected a closed workspace; open "
            "workspaces: 'A' (current)");
  EXPECT_THAT(ErrorOf(manager.DestroyAll()), HasSubstr("'A' (open, generation 1): destroy all"));
  EXPECT_TRUE(manager.Exists("A"));
  scope.reset();
  Must(manager.Destroy("A"));
  EXPECT_FALSE(manager.Exists("A"));
}

TEST(WorkspaceManager, DestroyAllReleasesThisThreadsMemoryOnly) {
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  WorkspaceManager manager(options);
  Must(manager.Get(OneMiB(), "A"));
  Must(manager.Get(OneMiB(), "B"));
  std::thread([&] {
    Must(manager.Get(OneMiB(), "A"));
    EXPECT_EQ(upstream.live_bytes(), 3_MiB);
    Must(manager.DestroyAll());
    EXPECT_EQ(upstream.live_bytes(), 2_MiB);
  }).join();
  EXPECT_EQ(upstream.live_bytes(), 2_MiB);
  Must(manager.DestroyAll());
  EXPECT_EQ(upstream.live_bytes(), 0u);
  EXPECT_EQ(Must(manager.Get(OneMiB(), "A"))->generation(), 0u) << "made anew";
}

TEST(WorkspaceManager, AThreadsEndReleasesItsWorkspaces) {
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  WorkspaceManager manager(options);
  for (int i = 0; i < 50; ++i) {
    std::thread([&] {
      const WorkspaceScope scope = Must(manager.Enter(OneMiB(), "A"));
      Must(Bytes::Create(2 << 20));  // spills
      EXPECT_EQ(upstream.live_bytes(), 3_MiB);
    }).join();
    ASSERT_EQ(upstream.live_bytes(), 0u) << "thread " << i;
    ASSERT_EQ(manager.threads(), 0u);
  }
  EXPECT_EQ(manager.abandoned(), 0u);
}

TEST(WorkspaceManager, AThreadsEndReleasesEvenWhatItLeftOpen) {
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  WorkspaceManager manager(options);
  std::thread([&] {
    Must(Must(manager.Get(OneMiB(), "A"))->Open());
    Must(Bytes::Create(100));
  }).join();
  EXPECT_EQ(upstream.live_bytes(), 0u);
  EXPECT_EQ(manager.abandoned(), 1u);
}

TEST(WorkspaceManager, AManagersEndReleasesTheWorkspacesOfThreadsThatLive) {
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  std::optional<WorkspaceManager> manager(std::in_place, options);
  std::atomic<int> stage{0};
  std::thread worker([&] {
    Must(manager->Get(OneMiB(), "A"));
    stage = 1;
    while (stage != 2) std::this_thread::yield();
  });
  while (stage != 1) std::this_thread::yield();
  EXPECT_EQ(upstream.live_bytes(), 1_MiB);
  manager.reset();
  EXPECT_EQ(upstream.live_bytes(), 0u);
  stage = 2;
  worker.join();
}

TEST(WorkspaceManager, EveryByteIsChargedToTheLimitUnderTheWorkspacesName) {
  const auto limit = Must(MemoryLimit::Create({4_MiB, 0}));
  WorkspaceManagerOptions options;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  {
    const WorkspaceScope scope = Must(manager.Enter(OneMiB(), "ITER"));
    EXPECT_EQ(limit->in_use(), 1_MiB) << "exactly its size";
    Must(Bytes::Create(3 << 20));
    EXPECT_EQ(limit->in_use(), 4_MiB) << "spills count";
    EXPECT_THAT(ErrorOf(Bytes::Create(2 << 20)),
                AllOf(HasSubstr("workspace 'ITER' (open, generation 1): spill 2097152 bytes"),
                      HasSubstr("asked 2.00 MiB; in use 4.00 MiB of 4.00 MiB"),
                      HasSubstr("top holders: 'workspace 'ITER' of thread")));
  }
  EXPECT_EQ(limit->in_use(), 1_MiB);
  Must(manager.DestroyAll());
  EXPECT_EQ(limit->in_use(), 0u);
  EXPECT_TRUE(limit->Statistics().holders.empty());
}

TEST(WorkspaceManager, OnTheLimitClosedWorkspacesOfAllThreadsGiveTheirMemoryBack) {
  const auto limit = Must(MemoryLimit::Create({4_MiB, 0}));
  WorkspaceManagerOptions options;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  std::atomic<int> stage{0};
  std::thread worker([&] {
    Must(manager.Get(OneMiB(), "theirs, closed"));
    const WorkspaceScope open = Must(manager.Enter(OneMiB(), "theirs, open"));
    const Bytes array = Must(Bytes::Create(1 << 20));
    std::fill(array.unchecked().begin(), array.unchecked().end(), 'x');
    stage = 1;
    while (stage != 2) std::this_thread::yield();
    EXPECT_EQ(Must(array.values()).back(), 'x') << "an open workspace keeps its memory";
  });
  while (stage != 1) std::this_thread::yield();
  Must(manager.Get(OneMiB(), "ours, closed"));
  EXPECT_EQ(limit->in_use(), 3_MiB);
  {
    const WorkspaceScope scope = Must(manager.Enter(
        Must(Builder().InitialSize(3 << 20).Allocation(AllocationPolicy::kStrict).Build()),
        "large"));
    EXPECT_EQ(limit->in_use(), 4_MiB);
    EXPECT_EQ(limit->Statistics().reclaimed, 2_MiB);
    // What was trimmed cannot come back while there is no room for it: that cycle
    // spills, and says so.
    Workspace* ours = Must(manager.Get("ours, closed"));
    const WorkspaceScope inner = Must(ours->Enter());
    EXPECT_EQ(ours->current_size(), 0u);
    EXPECT_EQ(ours->Statistics().failed_resizes, 1u);
    EXPECT_THAT(ours->Statistics().last_failure, HasSubstr("memory limit: out of memory"));
  }
  Must(manager.Destroy("large"));
  stage = 2;
  worker.join();
  Must(manager.Destroy("ours, closed"));
  EXPECT_EQ(limit->in_use(), 0u);
}

TEST(WorkspaceManager, WhatWasTrimmedComesBackWhenItIsEntered) {
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  WorkspaceManager manager(options);
  Workspace* a = Must(manager.Get(OneMiB(), "A"));
  EXPECT_EQ(manager.Trim(1), 1_MiB);
  EXPECT_EQ(upstream.live_bytes(), 0u);
  EXPECT_EQ(a->current_size(), 0u);
  EXPECT_EQ(manager.Trim(1), 0u);
  const WorkspaceScope scope = Must(a->Enter());
  EXPECT_EQ(a->current_size(), 1_MiB);
  Must(Bytes::Create(1 << 20));
  EXPECT_EQ(a->Statistics().spilled, 0u);
}

TEST(WorkspaceManager, TrimmingFromAnotherThreadNeverTakesMemoryThatIsInUse) {
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  WorkspaceManager manager(options);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> trimmed{0};
  std::thread trimmer([&] {
    while (!stop) trimmed += manager.Trim(UINT64_MAX);
  });
  const WorkspaceConfiguration small =
      Must(Builder().InitialSize(4096).Allocation(AllocationPolicy::kStrict).Build());
  uint64_t cycles = 0;
  while (cycles < Scaled(20'000) || trimmed == 0) {
    const WorkspaceScope scope = Must(manager.Enter(small, "A"));
    const Bytes array = Must(Bytes::Create(4096));
    std::fill(array.unchecked().begin(), array.unchecked().end(), static_cast<char>(cycles));
    const std::span<char> values = Must(array.values());
    ASSERT_EQ(std::count(values.begin(), values.end(), static_cast<char>(cycles)), 4096);
    ++cycles;
  }
  stop = true;
  trimmer.join();
}

TEST(WorkspaceManager, DebugModes) {
  WorkspaceManager manager;
  EXPECT_EQ(manager.debug_mode(), WorkspaceDebugMode::kDisabled);
  Workspace* a = Must(manager.Get(OneMiB(), "A"));
  manager.SetDebugMode(WorkspaceDebugMode::kSpillEverything);
  {
    const WorkspaceScope scope = Must(a->Enter());
    EXPECT_TRUE(Must(Bytes::Create(400)).attached());
    EXPECT_EQ(a->offset(), 0u);
    EXPECT_EQ(a->Statistics().spilled, 400u);
  }
  EXPECT_EQ(a->Statistics().spilled, 0u);
  manager.SetDebugMode(WorkspaceDebugMode::kBypassEverything);
  {
    const WorkspaceScope scope = Must(a->Enter());
    EXPECT_FALSE(Must(Bytes::Create(400)).attached());
  }
  manager.SetDebugMode(WorkspaceDebugMode::kDisabled);
  const WorkspaceScope scope = Must(a->Enter());
  Must(Bytes::Create(400));
  EXPECT_EQ(a->offset(), 400u);
}

TEST(WorkspaceManager, DebugModeFromTheEnvironment) {
  ::unsetenv("PLIMSOLL_WORKSPACE_DEBUG");
  EXPECT_EQ(Must(WorkspaceDebugModeFromEnvironment()), WorkspaceDebugMode::kDisabled);
  ::setenv("PLIMSOLL_WORKSPACE_DEBUG", "SPILL_EVERYTHING", 1);
  EXPECT_EQ(Must(WorkspaceDebugModeFromEnvironment()), WorkspaceDebugMode::kSpillEverything);
  ::setenv("PLIMSOLL_WORKSPACE_DEBUG", "spill", 1);
  EXPECT_THAT(ErrorOf(WorkspaceDebugModeFromEnvironment()),
              AllOf(HasSubstr("PLIMSOLL_WORKSPACE_DEBUG"), HasSubstr("'spill'"),
                    HasSubstr("expected DISABLED or SPILL_EVERYTHING or BYPASS_EVERYTHING")));
  ::unsetenv("PLIMSOLL_WORKSPACE_DEBUG");
}

TEST(WorkspaceManager, StatisticsOfAllWorkspacesAsTextAndJson) {
  WorkspaceManager manager;
  Must(manager.Get(OneMiB(), "B"));
  const WorkspaceScope scope = Must(manager.Enter(OneMiB(), "A"));
  Must(Bytes::Create(1000));
  Must(Bytes::Create(2 << 20));
  const std::vector<WorkspaceStatistics> all = manager.Statistics();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, "A");
  EXPECT_EQ(all[0].offset, 1000u);
  EXPECT_EQ(all[0].spilled, 2_MiB);
  EXPECT_EQ(all[0].this_cycle, 1000 + 2_MiB);
  EXPECT_THAT(manager.StatisticsText(),
              AllOf(HasSubstr("workspace "), HasSubstr("2.00 MiB"), HasSubstr("  open\nB ")));
  const nlohmann::json json = manager.StatisticsJson();
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["spilled_bytes"], 2_MiB);
  EXPECT_EQ(json[1]["open"], false);
}

}  // namespace
}  // namespace plimsoll
