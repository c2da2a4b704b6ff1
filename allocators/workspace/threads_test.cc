// Many threads, each with its own workspaces under one manager and one limit, every
// byte verified before its cycle ends.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "allocators/memory_limit/memory_limit.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;
using Words = TypedArray<uint64_t>;

constexpr int kThreads = 20;

uint64_t WordOf(uint64_t thread, uint64_t cycle, uint64_t array) {
  return (thread << 48) ^ (cycle << 8) ^ array;
}

void FillAll(const Words& array, uint64_t word) {
  std::fill(array.unchecked().begin(), array.unchecked().end(), word);
}

uint64_t Wrong(const Words& array, uint64_t word) {
  const Expected<std::span<uint64_t>> values = array.values();
  if (!values) return array.size();
  return static_cast<uint64_t>(
      std::count_if(values->begin(), values->end(), [word](uint64_t v) { return v != word; }));
}

// A training-like cycle: activations in an inner scope, one of them leveraged out.
uint64_t WrongInOneCycle(Workspace& outer, Workspace& inner, uint64_t thread, uint64_t cycle) {
  const WorkspaceScope in_outer = Must(outer.Enter());
  const Words input = Must(Words::Create(16));
  FillAll(input, WordOf(thread, cycle, 0));
  std::optional<Words> output;
  uint64_t wrong = 0;
  {
    const WorkspaceScope in_inner = Must(inner.Enter());
    const Words activation = Must(Words::Create(8 + cycle % 32));
    FillAll(activation, WordOf(thread, cycle, 1));
    const Words gradient = Must(Words::Create(24));
    FillAll(gradient, WordOf(thread, cycle, 2));
    output = Must(activation.Leverage());
    wrong += Wrong(activation, WordOf(thread, cycle, 1));
    wrong += Wrong(gradient, WordOf(thread, cycle, 2));
  }
  wrong += Wrong(input, WordOf(thread, cycle, 0));
  wrong += Wrong(*output, WordOf(thread, cycle, 1));
  return wrong;
}

TEST(WorkspaceThreads, TwentyThreadsTimesAHundredThousandCycles) {
  const uint64_t cycles = Scaled(100'000);
  CountingResource upstream;
  const auto limit = Must(MemoryLimit::Create({64_MiB, 0}));
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  const WorkspaceConfiguration learns = Must(Builder().Spill(SpillPolicy::kReallocate).Build());
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Workspace& outer = *Must(manager.Get(learns, "OUTER"));
      Workspace& inner = *Must(manager.Get(learns, "INNER"));
      uint64_t mine = 0;
      for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
        mine += WrongInOneCycle(outer, inner, t, cycle);
      }
      wrong += mine;
      // The largest cycle comes within the first 32: nothing grows after that.
      EXPECT_LE(outer.Statistics().resizes, 32u);
      EXPECT_EQ(outer.Statistics().cycles, cycles);
      EXPECT_EQ(inner.Statistics().spilled, 0u);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(upstream.live_bytes(), 0u);
  EXPECT_EQ(limit->in_use(), 0u);
  EXPECT_EQ(manager.threads(), 0u);
}

TEST(WorkspaceThreads, ChurnOfThreadsUnderALimitThatIsReachedAgainAndAgain) {
  // Room for about half of the threads: the others reclaim, or get an error.
  const auto limit = Must(MemoryLimit::Create({10 * 64_KiB, 0}));
  WorkspaceManagerOptions options;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  const WorkspaceConfiguration fixed =
      Must(Builder().InitialSize(64 << 10).Allocation(AllocationPolicy::kStrict).Build());
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> refused{0};
  const uint64_t rounds = std::max<uint64_t>(3, Scaled(40));
  for (uint64_t round = 0; round < rounds; ++round) {
    std::latch everybody(static_cast<ptrdiff_t>(kThreads));
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const bool has_workspace = manager.Get(fixed, "WS").has_value();
        // All at once, or threads that come one after the other never meet the limit.
        everybody.arrive_and_wait();
        if (!has_workspace) {
          ++refused;
          return;
        }
        for (uint64_t cycle = 0; cycle < 20; ++cycle) {
          const WorkspaceScope scope = Must(manager.Enter("WS"));
          const Expected<Words> array = Words::Create(64);
          if (!array) {
            ++refused;
            continue;
          }
          FillAll(*array, WordOf(t, cycle, round));
          std::this_thread::yield();
          wrong += Wrong(*array, WordOf(t, cycle, round));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(limit->in_use(), 0u);
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_LE(limit->Statistics().peak, 10 * 64_KiB);
  EXPECT_GT(limit->Statistics().reclaims + refused, 0u) << "the limit was never reached";
}

}  // namespace
}  // namespace plimsoll
