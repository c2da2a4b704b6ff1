// Heap blocks, through whichever way in this build has: interposed functions or a
// sanitizer's hooks.

#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <barrier>
#include <memory>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "harness/ledger/ledger.h"

namespace plimsoll::ledger {
namespace {

HeldCount Heap() { return Read().held[static_cast<size_t>(ResourceKind::kHeap)]; }

// What `run` leaves behind, in bytes and blocks. Nothing else may allocate meanwhile.
template <typename Run>
std::pair<int64_t, int64_t> Left(Run run) {
  const HeldCount before = Heap();
  run();
  const HeldCount after = Heap();
  return {static_cast<int64_t>(after.bytes - before.bytes),
          static_cast<int64_t>(after.blocks - before.blocks)};
}

using Change = std::pair<int64_t, int64_t>;

// The compiler may otherwise leave out a malloc whose block is only freed.
template <typename T>
T* Escaped(T* pointer) {
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

TEST(Heap, IsInterposed) { EXPECT_TRUE(Interposed()); }

TEST(Heap, CountsRequestedBytes) {
  void* block = nullptr;
  EXPECT_EQ(Left([&] { block = Escaped(malloc(100)); }), Change(100, 1));
  EXPECT_EQ(Left([&] { free(block); }), Change(-100, -1));
  EXPECT_EQ(Left([&] { block = Escaped(malloc(1)); }), Change(1, 1));
  EXPECT_EQ(Left([&] { free(block); }), Change(-1, -1));
}

TEST(Heap, FreeOfNullIsNothing) {
  EXPECT_EQ(Left([] { free(Escaped(static_cast<void*>(nullptr))); }), Change(0, 0));
}

TEST(Heap, CallocCountsTheProduct) {
  char* block = nullptr;
  EXPECT_EQ(Left([&] { block = static_cast<char*>(Escaped(calloc(7, 13))); }), Change(91, 1));
  for (int i = 0; i < 91; ++i) EXPECT_EQ(block[i], 0);
  EXPECT_EQ(Left([&] { free(block); }), Change(-91, -1));
}

TEST(Heap, ReallocReplaces) {
  void* block = Escaped(malloc(10));
  EXPECT_EQ(Left([&] { block = Escaped(realloc(block, 12)); }), Change(2, 0));
  EXPECT_EQ(Left([&] { block = Escaped(realloc(block, 1 << 20)); }), Change((1 << 20) - 12, 0));
  EXPECT_EQ(Left([&] { block = Escaped(realloc(block, 5)); }), Change(5 - (1 << 20), 0));
  EXPECT_EQ(Left([&] { free(block); }), Change(-5, -1));
  EXPECT_EQ(Left([&] { block = Escaped(realloc(nullptr, 33)); }), Change(33, 1));
  EXPECT_EQ(Left([&] { free(block); }), Change(-33, -1));
}

TEST(Heap, AlignedForms) {
  void* block = nullptr;
  EXPECT_EQ(Left([&] { block = Escaped(aligned_alloc(64, 128)); }), Change(128, 1));
  EXPECT_EQ(reinterpret_cast<uint64_t>(block) % 64, 0u);
  EXPECT_EQ(Left([&] { free(block); }), Change(-128, -1));
  EXPECT_EQ(Left([&] { EXPECT_EQ(posix_memalign(&block, 4096, 77), 0); }), Change(77, 1));
  EXPECT_EQ(reinterpret_cast<uint64_t>(block) % 4096, 0u);
  EXPECT_EQ(Left([&] { free(block); }), Change(-77, -1));
  EXPECT_EQ(Left([&] { block = Escaped(memalign(32, 40)); }), Change(40, 1));
  EXPECT_EQ(Left([&] { free(block); }), Change(-40, -1));
}

TEST(Heap, OperatorNewForms) {
  struct alignas(128) Wide {
    char bytes[128];
  };
  char* one = nullptr;
  EXPECT_EQ(Left([&] { one = Escaped(new char); }), Change(1, 1));
  EXPECT_EQ(Left([&] { delete one; }), Change(-1, -1));
  EXPECT_EQ(Left([&] { one = Escaped(new char[300]); }), Change(300, 1));
  EXPECT_EQ(Left([&] { delete[] one; }), Change(-300, -1));
  EXPECT_EQ(Left([&] { one = Escaped(new (std::nothrow) char[31]); }), Change(31, 1));
  EXPECT_EQ(Left([&] { delete[] one; }), Change(-31, -1));
  Wide* wide = nullptr;
  EXPECT_EQ(Left([&] { wide = Escaped(new Wide); }), Change(128, 1));
  EXPECT_EQ(reinterpret_cast<uint64_t>(wide) % 128, 0u);
  EXPECT_EQ(Left([&] { delete wide; }), Change(-128, -1));
  EXPECT_EQ(Left([&] { wide = Escaped(new (std::nothrow) Wide[2]); }), Change(256, 1));
  EXPECT_EQ(Left([&] { delete[] wide; }), Change(-256, -1));
}

TEST(Heap, BlocksOf16MiBAndMoreKeepTheirSize) {
  for (const size_t size :
       {(size_t{1} << 24) - 2, (size_t{1} << 24) - 1, size_t{1} << 24, (size_t{1} << 26) + 5}) {
    void* block = nullptr;
    EXPECT_EQ(Left([&] { block = Escaped(malloc(size)); }), Change(size, 1));
    EXPECT_EQ(Left([&] { free(block); }), Change(-static_cast<int64_t>(size), -1));
  }
}

TEST(Heap, SuppressedBlocksAreNotEnteredButFreesAre) {
  void* entered = Escaped(malloc(50));
  void* own = nullptr;
  EXPECT_EQ(Left([&] {
              Suppress suppress;
              own = Escaped(malloc(60));
              free(entered);
            }),
            Change(-50, -1));
  EXPECT_EQ(Left([&] { free(own); }), Change(0, 0));
}

TEST(Heap, PeakIsExactOnOneThread) {
  Read();
  const uint64_t before = Heap().bytes;
  for (const size_t size : {size_t{100}, size_t{70000}, size_t{3} << 20}) {
    void* first = Escaped(malloc(size));
    void* second = Escaped(malloc(size));
    free(first);
    free(second);
    EXPECT_EQ(Read().peak_heap_bytes, before + 2 * size);
    EXPECT_EQ(Read().peak_heap_bytes, before) << "since the previous Read";
  }
}

// Eight threads allocate, resize, free, and free each other's blocks.
TEST(Heap, ExactAfterRandomWorkOfEightThreads) {
  constexpr int kThreads = 8;
  constexpr size_t kSlots = 512;
  struct Slot {
    std::atomic<void*> block{nullptr};
  };
  std::vector<Slot> slots(kSlots);
  std::vector<int64_t> sizes(kThreads), blocks(kThreads);
  // The C library keeps the stacks of ended threads, with a block each, for the next ones.
  {
    std::barrier together(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) threads.emplace_back([&] { together.arrive_and_wait(); });
    for (std::thread& thread : threads) thread.join();
  }
  const auto change = Left([&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<uint32_t>(t));
        int64_t size_sum = 0, block_sum = 0;
        for (int i = 0; i < 20000; ++i) {
          const size_t size = 8 + random() % (random() % 64 == 0 ? 200000 : 600);
          auto* fresh = static_cast<size_t*>(Escaped(malloc(size)));
          if (random() % 4 == 0) fresh = static_cast<size_t*>(Escaped(realloc(fresh, size)));
          *fresh = size;
          size_sum += static_cast<int64_t>(size);
          ++block_sum;
          void* old = slots[random() % kSlots].block.exchange(fresh);
          if (old == nullptr) continue;
          size_sum -= static_cast<int64_t>(*static_cast<size_t*>(old));
          --block_sum;
          free(old);
        }
        sizes[static_cast<size_t>(t)] = size_sum;
        blocks[static_cast<size_t>(t)] = block_sum;
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  int64_t bytes = 0, count = 0;
  for (int t = 0; t < kThreads; ++t) {
    bytes += sizes[static_cast<size_t>(t)];
    count += blocks[static_cast<size_t>(t)];
  }
  int64_t held = 0;
  for (Slot& slot : slots) {
    if (slot.block != nullptr)
      held += static_cast<int64_t>(*static_cast<size_t*>(slot.block.load()));
  }
  EXPECT_EQ(held, bytes);
  EXPECT_EQ(change.first, bytes);
  EXPECT_EQ(change.second, count);
  for (Slot& slot : slots) free(slot.block);
}

struct Seen {
  std::vector<SiteRow> sites;
  std::vector<EpochRow> epochs;
};

// Room is made beforehand: what the visitor allocates would be in the next snapshot.
Seen Snapshot(uint32_t fold_through, bool* complete = nullptr) {
  Suppress own;
  Seen seen;
  const bool all = TakeSnapshot(
      fold_through,
      {.context = &seen,
       .site = [](void* context,
                  const SiteRow& row) { static_cast<Seen*>(context)->sites.push_back(row); },
       .epoch = [](void* context,
                   const EpochRow& row) { static_cast<Seen*>(context)->epochs.push_back(row); }});
  if (complete != nullptr) *complete = all;
  return seen;
}

__attribute__((noinline)) char* AllocateHere(size_t size) {
  char* block = static_cast<char*>(malloc(size));
  __asm__ volatile("" : "+r"(block));
  return block;
}

TEST(Snapshot, TellsSurvivorsBySiteAndEpoch) {
  const uint32_t start = Epoch();
  std::vector<char*> held;
  held.reserve(16);
  for (uint32_t i = 0; i < 4; ++i) {
    AdvanceEpoch();
    held.push_back(AllocateHere(1000 + i));
    if (i == 2) held.push_back(AllocateHere(5000));
  }
  bool complete = false;
  const Seen seen = Snapshot(start + 1, &complete);
  EXPECT_TRUE(complete);
  const EpochRow* last = nullptr;
  for (const EpochRow& row : seen.epochs) {
    if (row.epoch == start + 4 && row.bytes == 1003) last = &row;
  }
  ASSERT_NE(last, nullptr);
  std::vector<EpochRow> of_site;
  for (const EpochRow& row : seen.epochs) {
    if (row.site == last->site) of_site.push_back(row);
  }
  ASSERT_EQ(of_site.size(), 4u);
  EXPECT_EQ(of_site[0].epoch, 0u) << "epochs up to start + 1 are folded";
  EXPECT_EQ(of_site[0].bytes, 1000u);
  EXPECT_EQ(of_site[1].epoch, start + 2);
  EXPECT_EQ(of_site[1].bytes, 1001u);
  EXPECT_EQ(of_site[2].bytes, 6002u);
  EXPECT_EQ(of_site[2].blocks, 2u);
  for (const SiteRow& row : seen.sites) {
    if (row.site != last->site) continue;
    EXPECT_EQ(row.kind, ResourceKind::kHeap);
    EXPECT_EQ(row.live_blocks, 5u);
    EXPECT_EQ(row.live_bytes, 9006u);
  }
  uint64_t address = 0;
  ASSERT_EQ(Frames(last->site, &address, 1), 1u);
  const auto function = reinterpret_cast<uint64_t>(&AllocateHere);
  EXPECT_GT(address, function);
  EXPECT_LT(address, function + 200);
  for (char* block : held) free(block);
}

TEST(Snapshot, FloorIsTheLeastSeenInBetween) {
  Snapshot(0);
  char* first = AllocateHere(10);
  char* second = AllocateHere(20);
  TakeFloor();
  free(first);
  TakeFloor();
  first = AllocateHere(40);
  uint64_t address = 0;
  bool found = false;
  for (const SiteRow& row : Snapshot(0).sites) {
    const auto function = reinterpret_cast<uint64_t>(&AllocateHere);
    if (Frames(row.site, &address, 1) != 1 || address < function || address > function + 200) {
      continue;
    }
    found = true;
    EXPECT_EQ(row.live_bytes, 60u);
    EXPECT_EQ(row.floor_bytes, 20u);
    EXPECT_EQ(row.floor_blocks, 1u);
  }
  EXPECT_TRUE(found);
  free(first);
  free(second);
}

}  // namespace
}  // namespace plimsoll::ledger
