#include "scenarios/engines/torch/pmr_allocator.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <new>
#include <utility>

namespace plimsoll {
namespace {

// Counts what is out, and checks size and alignment on its way back.
class Checked : public std::pmr::memory_resource {
 public:
  ~Checked() override { EXPECT_TRUE(blocks_.empty()); }
  size_t live() const { return blocks_.size(); }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    void* block = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    blocks_[block] = {bytes, alignment};
    return block;
  }
  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    const auto found = blocks_.find(block);
    ASSERT_NE(found, blocks_.end());
    EXPECT_EQ(found->second, std::pair(bytes, alignment));
    blocks_.erase(found);
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::map<void*, std::pair<size_t, size_t>> blocks_;
};

TEST(PmrAllocatorTest, BlocksAreAlignedWholeAndReturned) {
  Checked resource;
  PmrAllocator allocator(&resource);
  {
    for (const size_t bytes : {1u, 63u, 64u, 65u, 100'000u}) {
      const c10::DataPtr data = allocator.allocate(bytes);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(data.get()) % PmrAllocator::kAlignment, 0u);
      EXPECT_EQ(data.device().type(), c10::DeviceType::CPU);
      std::memset(data.get(), 0xab, bytes);
      EXPECT_EQ(resource.live(), 1u);
    }
  }
  EXPECT_EQ(resource.live(), 0u);
}

TEST(PmrAllocatorTest, NoBytesAreNoBlock) {
  Checked resource;
  const c10::DataPtr data = PmrAllocator(&resource).allocate(0);
  EXPECT_EQ(data.get(), nullptr);
  EXPECT_EQ(resource.live(), 0u);
}

TEST(PmrAllocatorTest, RawBlocksWorkToo) {
  Checked resource;
  PmrAllocator allocator(&resource);
  void* data = allocator.raw_allocate(1000);
  EXPECT_EQ(resource.live(), 1u);
  allocator.raw_deallocate(data);
  EXPECT_EQ(resource.live(), 0u);
}

TEST(PmrAllocatorTest, ABlockGoesBackToItsOwnResource) {
  Checked first, second;
  c10::DataPtr data = PmrAllocator(&first).allocate(10);
  data = PmrAllocator(&second).allocate(20);
  EXPECT_EQ(first.live(), 0u);
  EXPECT_EQ(second.live(), 1u);
  data.clear();
}

TEST(PmrAllocatorTest, ASizeThatOverflowsIsBadAlloc) {
  Checked resource;
  PmrAllocator allocator(&resource);
  EXPECT_THROW(allocator.allocate(std::numeric_limits<size_t>::max() - 10), std::bad_alloc);
}

}  // namespace
}  // namespace plimsoll
