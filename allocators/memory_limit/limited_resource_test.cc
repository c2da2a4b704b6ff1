#include "allocators/memory_limit/limited_resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <thread>
#include <vector>

#include "allocators/allocation_error.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;

class Refusing final : public std::pmr::memory_resource {
  void* do_allocate(size_t, size_t) override { throw std::bad_alloc(); }
  void do_deallocate(void*, size_t, size_t) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

TEST(LimitedResource, ChargesExactlyWhatItHandsOut) {
  const auto limit = std::move(MemoryLimit::Create({1000, 0}).value());
  LimitedResource resource(*limit, "weights");
  void* first = resource.allocate(600, 64);
  EXPECT_EQ(limit->in_use(), 600u);
  EXPECT_EQ(resource.bytes(), 600u);
  void* second = resource.allocate(400);
  EXPECT_EQ(limit->in_use(), 1000u) << "the last byte is usable";
  EXPECT_THROW(static_cast<void>(resource.allocate(1)), AllocationError);
  resource.deallocate(first, 600, 64);
  resource.deallocate(second, 400);
  EXPECT_EQ(limit->in_use(), 0u);
  const AllocatorStats stats = resource.Stats();
  EXPECT_EQ(stats.num_allocs, 2);
  EXPECT_EQ(stats.bytes_in_use, 0);
  EXPECT_EQ(stats.peak_bytes_in_use, 1000);
  EXPECT_EQ(stats.largest_alloc_size, 600);
  EXPECT_EQ(stats.bytes_limit, 1000);
}

TEST(LimitedResource, ManyResourcesShareOneLimit) {
  const auto limit = std::move(MemoryLimit::Create({100, 0}).value());
  LimitedResource a(*limit, "a");
  LimitedResource b(*limit, "b");
  std::pmr::vector<char> in_a(60, &a);
  try {
    static_cast<void>(b.allocate(41));
    ADD_FAILURE() << "over the limit";
  } catch (const std::bad_alloc& refused) {
    EXPECT_THAT(refused.what(), HasSubstr("top holders: 'a' 60 B"));
  }
  const std::pmr::vector<char> in_b(40, &b);
}

TEST(LimitedResource, ChargesNothingWhenUpstreamRefuses) {
  const auto limit = std::move(MemoryLimit::Create({100, 1 << 30}).value());
  Refusing upstream;
  LimitedResource resource(*limit, "weights", &upstream);
  EXPECT_THROW(static_cast<void>(resource.allocate(10)), std::bad_alloc);
  EXPECT_EQ(limit->in_use(), 0u);
  EXPECT_EQ(resource.bytes(), 0u);
}

TEST(LimitedResource, ReclaimMakesRoom) {
  const auto limit = std::move(MemoryLimit::Create({100, 0}).value());
  LimitedResource resource(*limit, "weights");
  void* spare = resource.allocate(100);
  const auto hook = limit->hooks().Add("spare", [&](uint64_t) -> uint64_t {
    resource.deallocate(spare, 100);
    return 100;
  });
  void* wanted = resource.allocate(80);
  EXPECT_EQ(limit->in_use(), 80u);
  resource.deallocate(wanted, 80);
}

}  // namespace
}  // namespace plimsoll
