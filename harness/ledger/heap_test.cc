// Heap blocks, through whichever way in this build has: interposed functions or a
// sanitizer's hooks.

#include <dlfcn.h>
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
#include "harness/ledger/test_support.h"

namespace plimsoll::ledger {
namespace {

template <typename Run>
Change OnHeap(Run run) {
  return Left(ResourceKind::kHeap, run);
}

TEST(Heap, IsInterposed) { EXPECT_TRUE(Interposed()); }

TEST(Heap, CountsRequestedBytes) {
  void* block = nullptr;
  EXPECT_EQ(OnHeap([&] { block = Escaped(malloc(100)); }), Change(100, 1));
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-100, -1));
  EXPECT_EQ(OnHeap([&] { block = Escaped(malloc(1)); }), Change(1, 1));
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-1, -1));
}

TEST(Heap, FreeOfNullIsNothing) {
  EXPECT_EQ(OnHeap([] { free(Escaped(static_cast<void*>(nullptr))); }), Change(0, 0));
}

TEST(Heap, CallocCountsTheProduct) {
  char* block = nullptr;
  EXPECT_EQ(OnHeap([&] { block = static_cast<char*>(Escaped(calloc(7, 13))); }), Change(91, 1));
  for (int i = 0; i < 91; ++i) EXPECT_EQ(block[i], 0);
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-91, -1));
}

TEST(Heap, ReallocReplaces) {
  void* block = Escaped(malloc(10));
  EXPECT_EQ(OnHeap([&] { block = Escaped(realloc(block, 12)); }), Change(2, 0));
  EXPECT_EQ(OnHeap([&] { block = Escaped(realloc(block, 1 << 20)); }), Change((1 << 20) - 12, 0));
  EXPECT_EQ(OnHeap([&] { block = Escaped(realloc(block, 5)); }), Change(5 - (1 << 20), 0));
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-5, -1));
  EXPECT_EQ(OnHeap([&] { block = Escaped(realloc(nullptr, 33)); }), Change(33, 1));
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-33, -1));
}

TEST(Heap, StringsAndLinesThroughMalloc) {
  char* copy = nullptr;
  EXPECT_EQ(OnHeap([&] { copy = Escaped(strdup("twelve bytes")); }), Change(13, 1));
  EXPECT_EQ(OnHeap([&] { free(copy); }), Change(-13, -1));
}

TEST(Heap, AlignedForms) {
  void* block = nullptr;
  EXPECT_EQ(OnHeap([&] { block = Escaped(aligned_alloc(64, 128)); }), Change(128, 1));
  EXPECT_EQ(reinterpret_cast<uint64_t>(block) % 64, 0u);
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-128, -1));
  EXPECT_EQ(OnHeap([&] { EXPECT_EQ(posix_memalign(&block, 4096, 77), 0); }), Change(77, 1));
  EXPECT_EQ(reinterpret_cast<uint64_t>(block) % 4096, 0u);
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-77, -1));
  EXPECT_EQ(OnHeap([&] { block = Escaped(memalign(32, 40)); }), Change(40, 1));
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-40, -1));
}

TEST(Heap, OperatorNewForms) {
  struct alignas(128) Wide {
    char bytes[128];
  };
  char* one = nullptr;
  EXPECT_EQ(OnHeap([&] { one = Escaped(new char); }), Change(1, 1));
  EXPECT_EQ(OnHeap([&] { delete one; }), Change(-1, -1));
  EXPECT_EQ(OnHeap([&] { one = Escaped(new char[300]); }), Change(300, 1));
  EXPECT_EQ(OnHeap([&] { delete[] one; }), Change(-300, -1));
  EXPECT_EQ(OnHeap([&] { one = Escaped(new (std::nothrow) char[31]); }), Change(31, 1));
  EXPECT_EQ(OnHeap([&] { delete[] one; }), Change(-31, -1));
  Wide* wide = nullptr;
  EXPECT_EQ(OnHeap([&] { wide = Escaped(new Wide); }), Change(128, 1));
  EXPECT_EQ(reinterpret_cast<uint64_t>(wide) % 128, 0u);
  EXPECT_EQ(OnHeap([&] { delete wide; }), Change(-128, -1));
  EXPECT_EQ(OnHeap([&] { wide = Escaped(new (std::nothrow) Wide[2]); }), Change(256, 1));
  EXPECT_EQ(OnHeap([&] { delete[] wide; }), Change(-256, -1));
}

TEST(Heap, BlocksOf16MiBAndMoreKeepTheirSize) {
  for (const size_t size :
       {(size_t{1} << 24) - 2, (size_t{1} << 24) - 1, size_t{1} << 24, (size_t{1} << 26) + 5}) {
    void* block = nullptr;
    EXPECT_EQ(OnHeap([&] { block = Escaped(malloc(size)); }), Change(size, 1));
    EXPECT_EQ(OnHeap([&] { free(block); }), Change(-static_cast<int64_t>(size), -1));
  }
}

TEST(Heap, SuppressedBlocksAreNotEnteredButFreesAre) {
  void* entered = Escaped(malloc(50));
  void* own = nullptr;
  EXPECT_EQ(OnHeap([&] {
              Suppress suppress;
              own = Escaped(malloc(60));
              free(entered);
            }),
            Change(-50, -1));
  EXPECT_EQ(OnHeap([&] { free(own); }), Change(0, 0));
}

TEST(Heap, PeakIsExactOnOneThread) {
  Read();
  const uint64_t before = Held(ResourceKind::kHeap).bytes;
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
  const auto change = OnHeap([&] {
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

PLIMSOLL_TEST_SITE char* AllocateHere(size_t size) {
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
  const Seen seen = Snapshot(start + 1);
  EXPECT_TRUE(seen.complete);
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
  EXPECT_TRUE(IsFrom(last->site, &AllocateHere));
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
  bool found = false;
  for (const SiteRow& row : Snapshot(0).sites) {
    if (!IsFrom(row.site, &AllocateHere)) continue;
    found = true;
    EXPECT_EQ(row.live_bytes, 60u);
    EXPECT_EQ(row.floor_bytes, 20u);
    EXPECT_EQ(row.floor_blocks, 1u);
  }
  EXPECT_TRUE(found);
  free(first);
  free(second);
}

PLIMSOLL_TEST_SITE char* ViaFirst(size_t size) {
  char* block = AllocateHere(size);
  __asm__ volatile("" : "+r"(block));
  return block;
}

PLIMSOLL_TEST_SITE char* ViaSecond(size_t size) {
  char* block = AllocateHere(size);
  __asm__ volatile("" : "+r"(block));
  return block;
}

// Bytes held by sites with a frame in `function`.
template <typename Function>
uint64_t BytesThrough(Function* function) {
  uint64_t bytes = 0;
  for (const SiteRow& row : Snapshot(0).sites) {
    if (IsFrom(row.site, function)) bytes += row.live_bytes;
  }
  return bytes;
}

TEST(Stacks, FullOnesTellCallersApart) {
  char* one = ViaFirst(100);
  EXPECT_EQ(BytesThrough(&ViaFirst), 0u) << "in counting mode only the innermost is known";
  SetStackMode(StackMode::kFull);
  char* first = ViaFirst(1000);
  char* second = ViaSecond(20000);
  char* third = ViaSecond(300000);
  SetStackMode(StackMode::kCaller);
  EXPECT_EQ(BytesThrough(&ViaFirst), 1000u);
  EXPECT_EQ(BytesThrough(&ViaSecond), 320000u);
  EXPECT_EQ(BytesThrough(&AllocateHere), 321100u);
  for (char* block : {one, first, second, third}) free(block);
}

TEST(Stacks, FullAtChosenSitesOnly) {
  if (dlsym(RTLD_DEFAULT, "__sanitizer_install_malloc_and_free_hooks") != nullptr) {
    GTEST_SKIP() << "a sanitizer's hooks do not tell who called malloc";
  }
  char* block = AllocateHere(100);
  std::vector<uint32_t> chosen;
  for (const SiteRow& row : Snapshot(0).sites) {
    if (IsFrom(row.site, &AllocateHere)) chosen.push_back(row.site);
  }
  ASSERT_EQ(chosen.size(), 1u);
  ASSERT_TRUE(SetFullStacksAt(chosen.data(), chosen.size()));
  char* through = ViaFirst(1000);
  char* elsewhere = Escaped(new char[500]);
  SetStackMode(StackMode::kCaller);
  EXPECT_EQ(BytesThrough(&ViaFirst), 1000u);
  uint64_t longest = 0;
  for (const SiteRow& row : Snapshot(0).sites) {
    uint64_t addresses[kMaximumFrames];
    if (row.live_bytes == 500) longest = Frames(row.site, addresses, kMaximumFrames);
  }
  EXPECT_EQ(longest, 1u) << "not a chosen site";
  free(block);
  free(through);
  delete[] elsewhere;
}

TEST(Sampling, AllocatesNothing) {
  Snapshot(0);
  const uint64_t before = Read().allocation_calls;
  for (int i = 0; i < 3; ++i) {
    AdvanceEpoch();
    TakeFloor();
    TakeSnapshot(Epoch(), {.context = nullptr,
                           .site = [](void*, const SiteRow&) {},
                           .epoch = [](void*, const EpochRow&) {}});
    uint64_t addresses[kMaximumFrames];
    Frames(1, addresses, kMaximumFrames);
    Modules(nullptr, [](void*, const ModuleRow&) {});
    OwnBytes();
  }
  EXPECT_EQ(Read().allocation_calls, before);
  free(Escaped(malloc(1)));
  EXPECT_EQ(Read().allocation_calls, before + 1);
}

// Sampling in the middle of eight threads' work: the counts never leave what is possible.
TEST(Sampling, BesideWorkingThreads) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const HeldCount before = Held(ResourceKind::kHeap);
  for (uint32_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      while (!stop) free(Escaped(malloc(1 + random() % 1000)));
    });
  }
  for (int i = 0; i < 20; ++i) {
    const Seen seen = Snapshot(0);
    EXPECT_TRUE(seen.complete);
    const HeldCount now = Held(ResourceKind::kHeap);
    EXPECT_LE(now.blocks, before.blocks + 100);
    EXPECT_GE(now.bytes + 100, before.bytes);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(Threads, ExitWithLiveBlocksKeepsThem) {
  void* block = nullptr;
  std::thread([&] { block = Escaped(malloc(4000)); }).join();
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-4000, -1));
}

// A destructor that runs after every other: its frees still count.
TEST(Threads, BlocksFreedByThreadLocalDestructorsAreCleared) {
  std::thread([] {}).join();
  const Change left = OnHeap([] {
    std::thread([] {
      thread_local std::unique_ptr<char[]> local;
      local.reset(Escaped(new char[777]));
    }).join();
  });
  EXPECT_EQ(left, Change(0, 0));
}

}  // namespace
}  // namespace plimsoll::ledger
