#include "allocators/memory_limit/reclaim.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "base/units.h"

namespace plimsoll {
namespace {

TEST(ReclaimHooks, ARemovedHookIsNotAsked) {
  ReclaimHooks hooks;
  int calls = 0;
  {
    const auto registration = hooks.Add("short", [&](uint64_t) -> uint64_t {
      ++calls;
      return 1;
    });
    EXPECT_EQ(hooks.Run(1, [] { return false; }).size(), 1u);
  }
  EXPECT_TRUE(hooks.Run(1, [] { return false; }).empty());
  EXPECT_EQ(calls, 1);
}

TEST(ReclaimHooks, AHookMayRemoveItself) {
  ReclaimHooks hooks;
  int calls = 0;
  ReclaimHooks::Registration registration;
  registration = hooks.Add("once", [&](uint64_t) -> uint64_t {
    ++calls;
    registration.Remove();
    return 1;
  });
  EXPECT_EQ(hooks.Run(1, [] { return false; }).size(), 1u);
  EXPECT_EQ(hooks.Run(1, [] { return false; }).size(), 0u);
  EXPECT_EQ(calls, 1);
}

// What a hook uses may be gone as soon as its registration is.
TEST(ReclaimHooks, RemovalWaitsForACallThatIsUnderWay) {
  ReclaimHooks hooks;
  std::atomic<bool> inside{false};
  std::atomic<bool> left{false};
  auto registration = hooks.Add("slow", [&](uint64_t) -> uint64_t {
    inside = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    left = true;
    return 0;
  });
  std::thread caller([&] { hooks.Run(1, [] { return false; }); });
  while (!inside) std::this_thread::yield();
  registration.Remove();
  EXPECT_TRUE(left);
  caller.join();
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(TrimMallocHook, GivesFreedHeapPagesBackToTheKernel) {
  // Small blocks, so that they lie in the heap and stay there when freed: one that is
  // kept keeps the top of the heap from shrinking by itself.
  std::vector<char*> blocks;
  for (int i = 0; i < 4096; ++i) {
    blocks.push_back(static_cast<char*>(::malloc(16 << 10)));
    std::memset(blocks.back(), 1, 16 << 10);
  }
  char* last = static_cast<char*>(::malloc(64));
  for (char* block : blocks) ::free(block);
  EXPECT_GE(TrimMallocHook()(1), 32_MiB);
  ::free(last);
}
#endif

}  // namespace
}  // namespace plimsoll
