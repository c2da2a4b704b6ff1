// A workspace larger than the memory that the process may have: $PLIMSOLL_MMAP_BYTES of
// arrays (256 MiB unless set; the 4 GiB run is the manual target) under a physical limit
// of an eighth of that.

#include <stdlib.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "allocators/memory_limit/anonymous_memory.h"
#include "allocators/memory_limit/memory_limit.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Builder = WorkspaceConfigurationBuilder;
using Words = TypedArray<uint64_t>;

constexpr uint64_t kArray = 1_MiB;

class MmapWorkspaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* asked = ::getenv("PLIMSOLL_MMAP_BYTES");
    bytes_ = asked != nullptr ? Must(ParseBytes(asked)) : std::max<uint64_t>(Scaled(256), 16) << 20;
    struct statvfs disk = {};
    ASSERT_EQ(::statvfs(::testing::TempDir().c_str(), &disk), 0);
    const uint64_t available = uint64_t{disk.f_bavail} * disk.f_frsize;
    if (available < bytes_ + bytes_ / 4) {
      GTEST_SKIP() << ::testing::TempDir() << " has " << FormatBytes(static_cast<double>(available))
                   << " free, and the test wants a quarter more than "
                   << FormatBytes(static_cast<double>(bytes_));
    }
    // What a sanitizer's runtime holds is not the workspace's.
    limit_bytes_ = bytes_ / 8 + (Scaled(1000) == 1000 ? 0 : Must(memory_.Exact()));
    limit_ = Must(MemoryLimit::Create({0, limit_bytes_}));
    options_.limit = limit_.get();
  }

  Builder Configuration() const {
    return Builder()
        .InitialSize(static_cast<int64_t>(bytes_))
        .Allocation(AllocationPolicy::kStrict)
        .Learning(LearningPolicy::kNone);
  }

  ProcAnonymousMemory memory_;
  uint64_t bytes_ = 0;
  uint64_t limit_bytes_ = 0;
  std::unique_ptr<MemoryLimit> limit_;
  WorkspaceManagerOptions options_;
};

TEST_F(MmapWorkspaceTest, ArraysLargerThanThePhysicalLimitCompleteBelowIt) {
  WorkspaceManager manager(options_);
  const WorkspaceConfiguration mapped = Must(Configuration()
                                                 .Location(LocationPolicy::kMmap)
                                                 .TemporaryDirectory(::testing::TempDir())
                                                 .Build());
  const WorkspaceScope scope = Must(manager.Enter(mapped, "LARGE"));
  std::vector<Words> arrays;
  uint64_t peak = 0;
  for (uint64_t i = 0; i < bytes_ / kArray; ++i) {
    arrays.push_back(Must(Words::Create(kArray / sizeof(uint64_t))));
    const std::span<uint64_t> words = arrays.back().unchecked();
    for (size_t w = 0; w < words.size(); ++w) words[w] = i * words.size() + w;
    // The exact reading walks every page that is mapped: not at each step.
    if (i % 64 == 63) peak = std::max(peak, Must(memory_.Exact()));
  }
  for (uint64_t i = 0; i < arrays.size(); ++i) {
    const std::span<uint64_t> words = Must(arrays[i].values());
    uint64_t wrong = 0;
    for (size_t w = 0; w < words.size(); ++w) wrong += words[w] != i * words.size() + w;
    ASSERT_EQ(wrong, 0u) << "array " << i;
  }
  peak = std::max(peak, Must(memory_.Exact()));
  EXPECT_LT(peak, limit_bytes_);
  EXPECT_EQ(Must(manager.Get("LARGE"))->Statistics().spilled, 0u);
  RecordProperty("bytes", std::to_string(bytes_));
  RecordProperty("peak_anonymous_bytes", std::to_string(peak));
}

// The control: without the file, the limit holds.
TEST_F(MmapWorkspaceTest, TheSameInRamIsRefused) {
  WorkspaceManager manager(options_);
  EXPECT_THAT(ErrorOf(manager.Get(Must(Configuration().Build()), "LARGE")),
              AllOf(HasSubstr("workspace 'LARGE': initial " + std::to_string(bytes_)),
                    HasSubstr("out of memory over max_physical_bytes")));
}

TEST_F(MmapWorkspaceTest, GrowsItsFileWhenItReallocates) {
  const std::string path = ::testing::TempDir() + "/growing";
  const auto ws = MakeWorkspace(Builder()
                                    .InitialSize(4096)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Spill(SpillPolicy::kReallocate)
                                    .Location(LocationPolicy::kMmap)
                                    .MmapPath(path));
  const auto cycle = [&](size_t words, bool check) {
    const WorkspaceScope scope = Must(ws->Enter());
    const Words first = Must(Words::Create(100));
    if (check) {
      EXPECT_EQ(Must(first.values())[99], 7u) << "contents stay when it grows";
    }
    std::fill(first.unchecked().begin(), first.unchecked().end(), 7);
    Must(Words::Create(words));
  };
  cycle(100'000, false);
  EXPECT_EQ(ws->current_size(), 800'800u);
  EXPECT_EQ(std::filesystem::file_size(path), 800'800u);
  cycle(100'000, true);
  EXPECT_EQ(ws->Statistics().last_cycle, 800'800u);
  EXPECT_EQ(ws->Statistics().resizes, 2u);
  std::filesystem::remove(path);
}

TEST_F(MmapWorkspaceTest, AFileThatCannotGrowLeavesTheWorkspaceWorking) {
  const auto ws = MakeWorkspace(Builder()
                                    .InitialSize(4096)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .MaxSize(int64_t{1} << 61)
                                    .OverallocationLimit(0)
                                    .Spill(SpillPolicy::kReallocate)
                                    .MinSize(int64_t{1} << 60)  // no disk has that
                                    .Location(LocationPolicy::kMmap));
  for (int i = 0; i < 3; ++i) {
    const WorkspaceScope scope = Must(ws->Enter());
    const Words array = Must(Words::Create(1000));
    std::fill(array.unchecked().begin(), array.unchecked().end(), 7);
    EXPECT_EQ(ws->current_size(), 4096u);
  }
  EXPECT_EQ(ws->Statistics().failed_resizes, 3u);
}

TEST_F(MmapWorkspaceTest, ACircularFileGoesRound) {
  const auto ws = MakeWorkspace(Builder()
                                    .InitialSize(1024)
                                    .Allocation(AllocationPolicy::kStrict)
                                    .Reset(ResetPolicy::kEndOfBufferReached)
                                    .Location(LocationPolicy::kMmap));
  for (uint64_t i = 0; i < 20; ++i) {
    const WorkspaceScope scope = Must(ws->Enter());
    const Words array = Must(Words::Create(32));
    std::fill(array.unchecked().begin(), array.unchecked().end(), i);
    EXPECT_EQ(ws->offset(), (i % 4 + 1) * 256);
    EXPECT_EQ(Must(array.values())[31], i);
  }
}

}  // namespace
}  // namespace plimsoll
