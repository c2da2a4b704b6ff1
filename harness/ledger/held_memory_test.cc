// Mappings, shared memory, temporary files and allocators' own blocks, through the interposed
// functions.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "harness/client.h"
#include "harness/ledger/ledger.h"
#include "harness/ledger/test_support.h"

namespace plimsoll::ledger {
namespace {

constexpr size_t kPage = 4096;

std::string TempPath(const char* name) {
  return std::string(getenv("TEST_TMPDIR") != nullptr ? getenv("TEST_TMPDIR") : "/tmp") + "/" +
         name;
}

Change Mapped(const std::function<void()>& run) { return Left(ResourceKind::kMapping, run); }

TEST(Mappings, PartialUnmapsAndRemaps) {
  char* start = nullptr;
  const auto map = [](size_t pages) {
    return static_cast<char*>(
        mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  };
  const auto page = static_cast<int64_t>(kPage);
  EXPECT_EQ(Mapped([&] { start = map(10); }), Change(10 * page, 1));
  EXPECT_EQ(Mapped([&] { munmap(start + 4 * kPage, kPage); }), Change(-page, 1)) << "a hole";
  EXPECT_EQ(Mapped([&] { munmap(start, kPage); }), Change(-page, 0)) << "the front";
  EXPECT_EQ(Mapped([&] { munmap(start + 9 * kPage, 1); }), Change(-page, 0)) << "part of a page";
  EXPECT_EQ(Mapped([&] { EXPECT_NE(munmap(start + 1, kPage), 0); }), Change(0, 0)) << "refused";
  EXPECT_EQ(Mapped([&] { munmap(start, 10 * kPage); }), Change(-7 * page, -2)) << "the rest";
  EXPECT_EQ(Mapped([&] { start = map(2); }), Change(2 * page, 1));
  EXPECT_EQ(Mapped([&] {
              start = static_cast<char*>(mremap(start, 2 * kPage, 64 * kPage, MREMAP_MAYMOVE));
            }),
            Change(62 * page, 0));
  EXPECT_EQ(Mapped([&] {
              mmap(start + 8 * kPage, 8 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0);
            }),
            Change(0, 2))
      << "one on top of another splits it";
  EXPECT_EQ(Mapped([&] { munmap(start, 64 * kPage); }), Change(-64 * page, -3));
}

TEST(Mappings, FilesCountWholePages) {
  const int descriptor = memfd_create("file", 0);
  ASSERT_EQ(ftruncate(descriptor, 5000), 0);
  void* start = nullptr;
  EXPECT_EQ(Mapped([&] { start = mmap64(nullptr, 5000, PROT_READ, MAP_SHARED, descriptor, 0); }),
            Change(8192, 1));
  close(descriptor);
  EXPECT_EQ(Mapped([&] { munmap(start, 5000); }), Change(-8192, -1));
}

TEST(Mappings, TheAllocatorsOwnAreNotCounted) {
  const Change mapped = Mapped([] {
    std::vector<void*> blocks;
    for (int i = 0; i < 64; ++i) blocks.push_back(malloc(1 << 20));
    for (void* block : blocks) free(block);
  });
  EXPECT_EQ(mapped, Change(0, 0));
}

TEST(SharedMemory, IsHeldUntilUnlinked) {
  const std::string name = "/plimsoll_test_" + std::to_string(getpid());
  const int64_t before = Blocks(ResourceKind::kSharedMemory);
  const int descriptor = shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(Blocks(ResourceKind::kSharedMemory), before + 1);
  ASSERT_EQ(ftruncate(descriptor, 12345), 0);
  const uint64_t bytes = Held(ResourceKind::kSharedMemory).bytes;
  Snapshot(0);
  EXPECT_EQ(Held(ResourceKind::kSharedMemory).bytes, bytes + 12345) << "a snapshot asks the size";
  close(descriptor);
  const int again = shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
  close(again);
  EXPECT_EQ(Blocks(ResourceKind::kSharedMemory), before + 1) << "it was there";
  ASSERT_EQ(shm_unlink(name.c_str()), 0);
  EXPECT_EQ(Blocks(ResourceKind::kSharedMemory), before);
}

TEST(SharedMemory, SystemVSegments) {
  const int64_t before = Blocks(ResourceKind::kSharedMemory);
  const int segment = shmget(IPC_PRIVATE, 10000, 0600);
  if (segment < 0) GTEST_SKIP() << "no System V shared memory here";
  EXPECT_EQ(Blocks(ResourceKind::kSharedMemory), before + 1);
  void* start = nullptr;
  EXPECT_EQ(Mapped([&] { start = shmat(segment, nullptr, 0); }), Change(12288, 1));
  EXPECT_EQ(Mapped([&] { shmdt(start); }), Change(-12288, -1));
  ASSERT_EQ(shmctl(segment, IPC_RMID, nullptr), 0);
  EXPECT_EQ(Blocks(ResourceKind::kSharedMemory), before);
}

TEST(TemporaryFiles, AreHeldUntilUnlinkedOrRenamed) {
  const int64_t before = Blocks(ResourceKind::kTempFile);
  std::string path = TempPath("plimsoll_XXXXXX");
  const int descriptor = mkstemp(path.data());
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(write(descriptor, "12345", 5), 5);
  close(descriptor);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before + 1);
  Snapshot(0);
  EXPECT_GE(Held(ResourceKind::kTempFile).bytes, 5u);
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before);

  std::string folder = TempPath("plimsoll_XXXXXX");
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before + 1);
  ASSERT_EQ(rmdir(folder.c_str()), 0);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before);

  path = TempPath("plimsoll_XXXXXX");
  close(mkostemp(path.data(), O_CLOEXEC));
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before + 1);
  ASSERT_EQ(rename(path.c_str(), (path + ".kept").c_str()), 0);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before);
  remove((path + ".kept").c_str());
}

TEST(TemporaryFiles, CreatedByNameBelowTheTemporaryFolder) {
  const int64_t before = Blocks(ResourceKind::kTempFile);
  const std::string path = "/tmp/plimsoll_named_" + std::to_string(getpid());
  const int descriptor = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  ASSERT_GE(descriptor, 0);
  close(descriptor);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before + 1);
  std::ofstream(path) << "it was there";
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before + 1);
  unlink(path.c_str());
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before);
  std::ofstream(path) << "now it was not";
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before + 1);
  // By a bare system call: the next snapshot notices.
  syscall(SYS_unlink, path.c_str());
  Snapshot(0);
  EXPECT_EQ(Blocks(ResourceKind::kTempFile), before);
}

TEST(AllocatorBlocks, StandBesideHeapBlocks) {
  char* arena = static_cast<char*>(Escaped(malloc(1000)));
  const auto agent = [](const std::function<void()>& run) {
    return Left(ResourceKind::kAllocatorBlock, run);
  };
  EXPECT_EQ(agent([&] { plimsoll_block_acquired(arena, 100); }), Change(100, 1));
  EXPECT_EQ(agent([&] { plimsoll_block_acquired(arena + 101, 50); }), Change(50, 1))
      << "not 16-byte aligned";
  EXPECT_EQ(Left(ResourceKind::kHeap, [&] { plimsoll_block_released(arena); }), Change(0, 0));
  EXPECT_EQ(agent([&] { plimsoll_block_released(arena + 101); }), Change(-50, -1));
  EXPECT_EQ(agent([&] { plimsoll_block_released(arena + 101); }), Change(0, 0)) << "twice";
  EXPECT_EQ(Left(ResourceKind::kHeap, [&] { free(arena); }), Change(-1000, -1));
}

}  // namespace
}  // namespace plimsoll::ledger
