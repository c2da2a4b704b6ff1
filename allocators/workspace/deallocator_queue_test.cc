#include "allocators/workspace/deallocator_queue.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include "allocators/memory_limit/limited_resource.h"
#include "allocators/memory_limit/memory_limit.h"
#include "allocators/workspace/array_storage.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using Floats = TypedArray<float>;

// Detached arrays come from `resource` while it lives.
class UseDetached {
 public:
  explicit UseDetached(std::pmr::memory_resource* resource)
      : before_(SetDetachedResource(resource)) {}
  ~UseDetached() { SetDetachedResource(before_); }

 private:
  std::pmr::memory_resource* const before_;
};

DeallocatorQueueOptions ByHand(CountingResource& upstream) {
  DeallocatorQueueOptions options;
  options.upstream = &upstream;
  options.background = false;
  return options;
}

TEST(DeallocatorQueue, MemoryOfTheLastHandleWaitsForTheCollector) {
  CountingResource upstream;
  DeallocatorQueue queue(ByHand(upstream));
  const UseDetached use(&queue);
  std::optional<Floats> first = Must(Floats::Create(1000));
  std::optional<Floats> second = *first;
  first.reset();
  EXPECT_EQ(queue.Statistics().pending_blocks, 0u) << "one handle is left";
  second->unchecked()[999] = 1;
  second.reset();
  EXPECT_EQ(queue.Statistics().live_blocks, 0u);
  EXPECT_EQ(queue.Statistics().pending_blocks, 1u);
  EXPECT_EQ(queue.Statistics().pending_bytes, upstream.live_bytes());
  EXPECT_GE(queue.Collect(), 4000u);
  EXPECT_EQ(upstream.live_bytes(), 0u);
  EXPECT_EQ(queue.Collect(), 0u);
  EXPECT_EQ(queue.Statistics().freed_blocks, 1u);
}

TEST(DeallocatorQueue, UncollectedCyclesPileUp_WorkspaceCyclesDoNot) {
  CountingResource upstream;
  DeallocatorQueue queue(ByHand(upstream));
  for (int cycle = 0; cycle < 100; ++cycle) {
    const UseDetached use(&queue);
    Must(Floats::Create(1000));
  }
  EXPECT_EQ(queue.Statistics().pending_blocks, 100u);
  EXPECT_GE(upstream.peak_bytes(), 400'000u);
  queue.Collect();
  CountingResource for_workspace;
  WorkspaceOptions options;
  options.upstream = &for_workspace;
  const auto ws = MakeWorkspace(WorkspaceConfigurationBuilder(), "WS", options);
  for (int cycle = 0; cycle < 100; ++cycle) {
    const WorkspaceScope scope = Must(ws->Enter());
    Must(Floats::Create(1000));
  }
  EXPECT_LE(for_workspace.peak_bytes(), 5200u);
}

TEST(DeallocatorQueue, BackgroundThreadFreesEverythingInTheEnd) {
  CountingResource upstream;
  DeallocatorQueueOptions options;
  options.upstream = &upstream;
  DeallocatorQueue queue(options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&queue] {
      for (uint64_t i = 0; i < Scaled(20'000); ++i) {
        void* pointer = queue.allocate(1 + i % 300);
        static_cast<char*>(pointer)[0] = 'x';
        queue.deallocate(pointer, 1 + i % 300);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  queue.Collect();
  EXPECT_EQ(queue.Statistics().live_bytes, 0u);
  EXPECT_EQ(queue.Statistics().pending_bytes, 0u);
  EXPECT_EQ(queue.Statistics().freed_blocks, 4 * Scaled(20'000));
  EXPECT_EQ(upstream.live_bytes(), 0u);
}

TEST(DeallocatorQueue, CollectWaitsForWhatTheThreadHasInItsHands) {
  CountingResource upstream;
  DeallocatorQueueOptions options;
  options.upstream = &upstream;
  DeallocatorQueue queue(options);
  for (int i = 0; i < 200; ++i) {
    queue.deallocate(queue.allocate(100), 100);
    queue.Collect();
    ASSERT_EQ(upstream.live_bytes(), 0u);
  }
}

TEST(DeallocatorQueue, BoundOnWhatIsPending) {
  CountingResource upstream;
  DeallocatorQueueOptions options = ByHand(upstream);
  options.max_pending_bytes = 1000;
  DeallocatorQueue queue(options);
  for (int i = 0; i < 100; ++i) {
    queue.deallocate(queue.allocate(300), 300);
    EXPECT_LE(queue.Statistics().pending_bytes, 1000u);
  }
  EXPECT_LE(upstream.peak_bytes(), 1500u);
}

TEST(DeallocatorQueue, AsAReclaimHookItMakesRoomUnderALimit) {
  const auto limit = Must(MemoryLimit::Create({10'000, 0}));
  LimitedResource charged(*limit, "detached arrays");
  DeallocatorQueueOptions options;
  options.upstream = &charged;
  options.background = false;
  DeallocatorQueue queue(options);
  const auto hook =
      limit->hooks().Add("deallocator queue", [&queue](uint64_t) { return queue.Collect(); });
  for (int i = 0; i < 100; ++i) queue.deallocate(queue.allocate(3000), 3000);
  EXPECT_EQ(limit->Statistics().refused, 0u);
  EXPECT_GT(limit->Statistics().reclaimed, 90u * 3000);
}

TEST(DeallocatorQueueDeathTest, EndingBeforeItsArraysAborts) {
  EXPECT_DEATH(
      {
        DeallocatorQueue queue;
        static_cast<void>(queue.allocate(10));
      },
      "deallocator_queue.cc:[0-9]+: broken invariant: .*ended before its arrays");
}

}  // namespace
}  // namespace plimsoll
