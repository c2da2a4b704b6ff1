#include "allocators/mmap_loader/page_cache/cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace plimsoll::weights {
namespace {

using Cache = SharedCache<int, int>;

auto Make(int value) {
  return [value]() -> Expected<std::unique_ptr<int>> { return std::make_unique<int>(value); };
}
bool Always(const int&) { return true; }

TEST(SharedCache, OneValueAKeyWhileItIsHeld) {
  Cache cache;
  bool found = true;
  auto first = *cache.FindOrMake(1, Make(10), Always, found);
  EXPECT_FALSE(found);
  const auto second = *cache.FindOrMake(1, Make(11), Always, found);
  EXPECT_TRUE(found);
  EXPECT_EQ(first, second);
  EXPECT_NE(*cache.FindOrMake(2, Make(20), Always, found), first);
}

TEST(SharedCache, TheEntryGoesWithTheValue) {
  Cache cache;
  bool found = false;
  for (int key = 0; key < 1000; ++key) {
    const auto value = *cache.FindOrMake(key, Make(key), Always, found);
    EXPECT_EQ(cache.size(), 1u);
  }
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(**cache.FindOrMake(1, Make(12), Always, found), 12);
  EXPECT_FALSE(found);
}

TEST(SharedCache, AnErrorLeavesNothing) {
  Cache cache;
  bool found = true;
  const auto fail = []() -> Expected<std::unique_ptr<int>> { return Fail("no"); };
  const auto result = cache.FindOrMake(1, fail, Always, found);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "no");
  EXPECT_EQ(cache.size(), 0u);
}

TEST(SharedCache, AnUnusableValueIsReplacedAndLivesOn) {
  Cache cache;
  bool found = false;
  auto old_value = *cache.FindOrMake(1, Make(10), Always, found);
  const auto never = [](const int&) { return false; };
  const auto fresh = *cache.FindOrMake(1, Make(11), never, found);
  EXPECT_FALSE(found);
  EXPECT_EQ(*old_value, 10);
  EXPECT_EQ(*fresh, 11);
  old_value.reset();
  EXPECT_EQ(cache.size(), 1u) << "the old value's end leaves the new one's entry";
  EXPECT_EQ(*cache.FindOrMake(1, Make(12), Always, found), fresh);
}

TEST(SharedCache, ValuesOutliveTheCache) {
  auto cache = std::make_unique<Cache>();
  bool found = false;
  auto value = *cache->FindOrMake(1, Make(10), Always, found);
  cache.reset();
  EXPECT_EQ(*value, 10);
}

TEST(SharedCache, ThreadsAgreeOnOneValue) {
  Cache cache;
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  const auto held = *[&] {
    bool found = false;
    return cache.FindOrMake(0, Make(0), Always, found);
  }();
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        bool found = false;
        const auto count = [&]() -> Expected<std::unique_ptr<int>> {
          ++made;
          return std::make_unique<int>(5);
        };
        EXPECT_EQ(**cache.FindOrMake(1, count, Always, found), 5);
        EXPECT_EQ(*cache.FindOrMake(0, Make(9), Always, found), held);
        int seen = 0;
        cache.ForEach([&](const int&) { ++seen; });
        EXPECT_GE(seen, 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(made, 1);
  EXPECT_EQ(cache.size(), 1u);
}

}  // namespace
}  // namespace plimsoll::weights
