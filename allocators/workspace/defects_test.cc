// What went wrong in ND4J's workspaces and must not go wrong here: one test for each
// known defect, and one for each complaint of its users that a program can show.

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "allocators/memory_limit/anonymous_memory.h"
#include "allocators/memory_limit/memory_limit.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/mapped_file.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

Builder Fixed(int64_t bytes) {
  return Builder().InitialSize(bytes).Allocation(AllocationPolicy::kStrict);
}

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(Nd4jDefects, CircularOverflowEndsInsteadOfRecursingForEver) {
  const auto ws = MakeWorkspace(Fixed(1024).Reset(ResetPolicy::kEndOfBufferReached));
  const WorkspaceScope scope = Must(ws->Enter());
  Must(Bytes::Create(512));
  const Bytes larger_than_all = Must(Bytes::Create(4096));
  EXPECT_TRUE(larger_than_all.values().has_value());
  EXPECT_EQ(ws->Statistics().pinned, 4096u);
  EXPECT_EQ(ws->offset(), 512u);
  Must(Bytes::Create(512));
  EXPECT_EQ(ws->offset(), 1024u) << "the rest of the buffer is used as before";
}

TEST(Nd4jDefects, CloseIsIdempotent) {
  const auto outer = MakeWorkspace(Fixed(1024), "OUTER");
  const auto inner = MakeWorkspace(Fixed(1024), "INNER");
  const WorkspaceScope outer_scope = Must(outer->Enter());
  WorkspaceScope scope = Must(inner->Enter());
  Must(scope.Close());
  EXPECT_EQ(CurrentWorkspace(), outer.get());
  Must(scope.Close());
  Must(scope.Close());
  EXPECT_EQ(CurrentWorkspace(), outer.get());
  EXPECT_TRUE(outer->open());
  EXPECT_EQ(inner->Statistics().cycles, 1u);
}

TEST(Nd4jDefects, OutOfOrderCloseDoesNotResurrectAClosedWorkspace) {
  const auto a = MakeWorkspace(Fixed(1024), "A");
  const auto b = MakeWorkspace(Fixed(1024), "B");
  WorkspaceScope scope_a = Must(a->Enter());
  WorkspaceScope scope_b = Must(b->Enter());
  Must(scope_a.Close());
  EXPECT_EQ(CurrentWorkspace(), b.get()) << "what was opened later stays";
  EXPECT_FALSE(a->open());
  Must(scope_b.Close());
  EXPECT_EQ(CurrentWorkspace(), nullptr) << "A is closed and must not be current again";
  EXPECT_FALSE(Must(Bytes::Create(8)).attached());
}

TEST(Nd4jDefects, ReenteringAnOpenWorkspaceThatIsNotCurrentKeepsItsLiveMemory) {
  const auto a = MakeWorkspace(Fixed(1024), "A");
  const auto b = MakeWorkspace(Fixed(1024), "B");
  const WorkspaceScope scope_a = Must(a->Enter());
  const Bytes first = Must(Bytes::Create(64));
  std::fill(first.unchecked().begin(), first.unchecked().end(), 'a');
  {
    const WorkspaceScope scope_b = Must(b->Enter());
    const WorkspaceScope again = Must(a->Enter());
    EXPECT_EQ(CurrentWorkspace(), a.get());
    EXPECT_EQ(a->offset(), 64u);
    const Bytes second = Must(Bytes::Create(64));
    std::fill(second.unchecked().begin(), second.unchecked().end(), 'b');
  }
  EXPECT_EQ(Must(first.values()).front(), 'a');
  EXPECT_EQ(a->offset(), 128u);
  EXPECT_EQ(a->generation(), 1u);
}

TEST(Nd4jDefects, AnExceptionLeavesTheRightWorkspaceCurrent) {
  const auto a = MakeWorkspace(Fixed(1024), "A");
  const auto b = MakeWorkspace(Fixed(1024).Spill(SpillPolicy::kFail), "B");
  const WorkspaceScope scope_a = Must(a->Enter());
  const auto step = [&] {
    const WorkspaceScope scope_b = Must(b->Enter());
    const WorkspaceScope borrowed = Must(a->Borrow());
    const OutsideScope out;
    const WorkspaceScope again = Must(b->Enter());
    const SwitchedOff off(*a);
    std::pmr::vector<char> too_large(b.get());
    too_large.resize(4096);
  };
  EXPECT_THROW(step(), std::bad_alloc);
  EXPECT_EQ(CurrentWorkspace(), a.get());
  EXPECT_EQ(ThreadScopes::Here().depth(), 1u);
  EXPECT_FALSE(a->outside()) << "switched on again";
  EXPECT_FALSE(b->open());
  EXPECT_TRUE(a->Borrow().has_value()) << "no longer borrowed";
}

TEST(Nd4jDefects, GenerationsAreCheckedInCircularMode) {
  // Two laps: an array is there until its bytes are handed out again, and then it is
  // an error, not somebody else's values.
  const auto ws = MakeWorkspace(Fixed(256).Reset(ResetPolicy::kEndOfBufferReached));
  std::vector<Bytes> arrays;
  for (int cycle = 0; cycle < 9; ++cycle) {
    const WorkspaceScope scope = Must(ws->Enter());
    arrays.push_back(Must(Bytes::Create(64)));
    std::fill(arrays.back().unchecked().begin(), arrays.back().unchecked().end(),
              static_cast<char>(cycle));
  }
  for (int cycle = 0; cycle < 9; ++cycle) {
    const Expected<std::span<char>> values = arrays[static_cast<size_t>(cycle)].values();
    if (cycle >= 5) {
      ASSERT_TRUE(values.has_value()) << "cycle " << cycle << ": " << values.error().message;
      EXPECT_EQ(values->front(), cycle);
    } else {
      EXPECT_THAT(ErrorOf(values),
                  AllOf(HasSubstr("workspace 'WS' (closed, generation 9)"),
                        HasSubstr("made in generation " + std::to_string(cycle + 1)),
                        HasSubstr("overwritten since")));
      EXPECT_FALSE(arrays[static_cast<size_t>(cycle)].Detach().has_value());
    }
  }
}

TEST(Nd4jDefects, WorkspacesAreChargedToLimits) {
  const auto limit = Must(MemoryLimit::Create({1_MiB, 0}));
  WorkspaceManagerOptions options;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  EXPECT_THAT(ErrorOf(manager.Get(Must(Fixed(2 << 20).Build()), "LARGE")),
              AllOf(HasSubstr("workspace 'LARGE': initial 2097152 bytes"),
                    HasSubstr("asked 2.00 MiB; in use 0 B of 1.00 MiB")));
  Must(manager.Get(Must(Fixed(1 << 20).Build()), "FITS"));
  EXPECT_EQ(limit->in_use(), 1_MiB);
}

TEST(Nd4jDefects, CheckingAndCountingInAreOneStep) {
  // Eight threads that each want just over half of the limit: at most one has it.
  const auto limit = Must(MemoryLimit::Create({1_MiB, 0}));
  WorkspaceManagerOptions options;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  const WorkspaceConfiguration half = Must(Fixed((1 << 19) + 64).Build());
  std::atomic<int> holders{0};
  std::atomic<uint64_t> successes{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        if (!manager.Get(half, "HALF")) continue;
        // While it is open nobody can take its memory: what has any has all of it.
        if (const Expected<WorkspaceScope> scope = manager.Enter("HALF")) {
          if (Must(manager.Get("HALF"))->current_size() > 0) {
            EXPECT_LE(++holders, 1);
            ++successes;
            std::this_thread::yield();
            EXPECT_LE(limit->in_use(), 1_MiB);
            --holders;
          }
        }
        Must(manager.DestroyAll());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limit->in_use(), 0u);
  EXPECT_GT(successes, 0u);
}

TEST(Nd4jDefects, AccountingIsExactToTheByte) {
  CountingResource upstream;
  WorkspaceOptions options;
  options.upstream = &upstream;
  const auto ws = MakeWorkspace(Fixed(10'000), "WS", options);
  EXPECT_EQ(upstream.live_bytes(), ws->current_size());
  {
    const WorkspaceScope scope = Must(ws->Enter());
    for (int i = 0; i < 5; ++i) Must(Bytes::Create(3001));
    const WorkspaceStatistics s = ws->Statistics();
    EXPECT_EQ(upstream.live_bytes(), s.current_size + s.spilled);
    EXPECT_EQ(s.spilled, 2 * 3008u);
    EXPECT_EQ(s.this_cycle, 5 * 3008u);
  }
  EXPECT_EQ(upstream.live_bytes(), 10'000u);
}

TEST(Nd4jDefects, NoDescriptorIsLeakedWhenMmapFails) {
  const MappedFileCalls refusing = {&::posix_fallocate,
                                    [](void*, size_t, int, int, int, off_t) -> void* {
                                      errno = ENOMEM;
                                      return MAP_FAILED;
                                    }};
  const std::string path = ::testing::TempDir() + "/mmap-fails";
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(ErrorOf(MappedFile::OpenTemporary("", 4096, refusing)),
                AllOf(HasSubstr("map 4096 bytes"), HasSubstr("Cannot allocate memory")));
    EXPECT_THAT(ErrorOf(MappedFile::OpenNamed(path, 4096, 0, refusing)), HasSubstr(path));
  }
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_FALSE(std::filesystem::exists(path)) << "a file that it made must not stay";
}

TEST(Nd4jDefects, AUsersFileThatIsShorterThanAskedGrowsAndKeepsItsContents) {
  const std::string path = ::testing::TempDir() + "/users-file";
  std::ofstream(path) << "the user's own 27 bytes ...";
  {
    const auto ws = MakeWorkspace(Fixed(1 << 20).Location(LocationPolicy::kMmap).MmapPath(path));
    EXPECT_EQ(ws->current_size(), 1_MiB);
    const WorkspaceScope scope = Must(ws->Enter());
    const Bytes array = Must(Bytes::Create(27));
    EXPECT_EQ(std::string(array.unchecked().begin(), array.unchecked().end()),
              "the user's own 27 bytes ...");
  }
  EXPECT_EQ(std::filesystem::file_size(path), 1_MiB);
  std::filesystem::remove(path);
}

TEST(Nd4jDefects, OverSizeGrowsToExactlyMax) {
  const auto ws = MakeWorkspace(Fixed(1000).MaxSize(5000).Spill(SpillPolicy::kReallocate));
  for (int cycle = 0; cycle < 2; ++cycle) {
    const WorkspaceScope scope = Must(ws->Enter());
    Must(Bytes::Create(8000));
  }
  EXPECT_EQ(ws->current_size(), 5000u);
  {
    const WorkspaceScope scope = Must(ws->Enter());
    Must(Bytes::Create(5000));
    EXPECT_EQ(ws->Statistics().spilled, 0u) << "every byte of it is usable";
  }
  EXPECT_EQ(ws->Statistics().resizes, 2u) << "and it is not made anew each cycle";
}

TEST(Nd4jDefects, OverAllocationIsAppliedAgainAfterReallocation) {
  const auto ws = MakeWorkspace(Builder().OverallocationLimit(1.0).Spill(SpillPolicy::kReallocate));
  for (const uint64_t demand : {1000, 3000, 10'000}) {
    const WorkspaceScope scope = Must(ws->Enter());
    Must(Bytes::Create(demand));
  }
  EXPECT_EQ(ws->current_size(), 20'000u);
}

TEST(Nd4jDefects, AnExistingIdDoesNotIgnoreANewConfiguration) {
  WorkspaceManager manager;
  Must(manager.Get(Must(Fixed(1024).Build()), "WS"));
  EXPECT_THAT(ErrorOf(manager.Enter(Must(Fixed(1024).Spill(SpillPolicy::kFail).Build()), "WS")),
              HasSubstr("spill: 'EXTERNAL' against 'FAIL'"));
}

TEST(Nd4jDefects, AThreadsWorkspacesGoWithTheThread_Complaint3483) {
  // Hours of short-lived threads ate all memory.
  CountingResource upstream;
  WorkspaceManagerOptions options;
  options.upstream = &upstream;
  WorkspaceManager manager(options);
  for (int i = 0; i < 100; ++i) {
    std::thread([&] {
      const WorkspaceScope scope = Must(manager.Enter(Must(Fixed(100'000).Build()), "WS"));
      Must(Bytes::Create(1000));
    }).join();
    ASSERT_EQ(upstream.live_bytes(), 0u);
  }
}

TEST(Nd4jDefects, UnparsableLimitsAreAnError) {
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::Parse("max_bytes=lots")), HasSubstr("'lots'"));
  ::setenv("PLIMSOLL_MAX_BYTES", "8 bananas", 1);
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::FromEnvironment()),
              AllOf(HasSubstr("PLIMSOLL_MAX_BYTES"), HasSubstr("'8 bananas'")));
  ::unsetenv("PLIMSOLL_MAX_BYTES");
}

TEST(Nd4jDefects, NoTemporaryFileIsLeftBehind_Complaint4833) {
  const std::string directory = ::testing::TempDir() + "/only-workspaces";
  std::filesystem::create_directory(directory);
  {
    std::vector<std::unique_ptr<Workspace>> many;
    for (int i = 0; i < 10; ++i) {
      many.push_back(MakeWorkspace(
          Fixed(1 << 20).Location(LocationPolicy::kMmap).TemporaryDirectory(directory)));
    }
    // Nothing has a name even now: a crash would leave nothing either.
    EXPECT_TRUE(std::filesystem::is_empty(directory));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory));
  std::filesystem::remove(directory);
}

TEST(Nd4jComplaints, MoreThanTheMappedFileHoldsSpillsInsteadOfCrashing_8864) {
  const auto ws = MakeWorkspace(Fixed(200 << 10).Location(LocationPolicy::kMmap));
  const WorkspaceScope scope = Must(ws->Enter());
  const TypedArray<float> array = Must(TypedArray<float>::Create((200 << 10) / 4 + 1000));
  std::fill(array.unchecked().begin(), array.unchecked().end(), 1.0f);
  EXPECT_EQ(std::accumulate(array.unchecked().begin(), array.unchecked().end(), 0.0),
            (200 << 10) / 4 + 1000);
  EXPECT_EQ(ws->Statistics().external_count, 1u);
}

TEST(Nd4jComplaints, AMappedFileIsLetGoOfWithItsWorkspace_8869) {
  const std::string path = ::testing::TempDir() + "/released";
  const size_t before = OpenDescriptors();
  WorkspaceManager manager;
  const WorkspaceConfiguration mapped =
      Must(Fixed(1 << 20).Location(LocationPolicy::kMmap).MmapPath(path).Build());
  {
    const WorkspaceScope scope = Must(manager.Enter(mapped, "M2"));
    Must(Bytes::Create(100));
  }
  Must(manager.Destroy("M2"));
  EXPECT_EQ(OpenDescriptors(), before);
  std::ifstream maps("/proc/self/maps");
  const std::string all((std::istreambuf_iterator<char>(maps)), {});
  EXPECT_EQ(all.find(path), std::string::npos);
  EXPECT_TRUE(std::filesystem::remove(path));
}

TEST(Nd4jComplaints, AnArrayKeptFromAnEarlierIterationIsNamedAsSuch_5977) {
  const auto ws = MakeWorkspace(Fixed(1024), "SPTREE_LOOP_EXTERNAL");
  std::optional<Bytes> kept;
  for (int iteration = 0; iteration < 2; ++iteration) {
    const WorkspaceScope scope = Must(ws->Enter());
    if (iteration == 0) {
      kept = Must(Bytes::Create(20));
    } else {
      EXPECT_EQ(ErrorOf(kept->values()),
                "array of 20 bytes of workspace 'SPTREE_LOOP_EXTERNAL' (open, generation 2): made "
                "in generation 1, which has ended; open workspaces: 'SPTREE_LOOP_EXTERNAL' "
                "(current)");
    }
  }
}

TEST(Nd4jComplaints, WhichLimitWasReachedAndWhatEachCountsIsInTheError_Docs91) {
  // Users set both limits alike, and the physical one, which counts the whole process,
  // was reached first without saying so.
  ProcAnonymousMemory memory;
  const auto limit = Must(MemoryLimit::Create({1_GiB, Must(memory.Exact()) + 32_MiB}));
  WorkspaceManagerOptions options;
  options.limit = limit.get();
  WorkspaceManager manager(options);
  EXPECT_THAT(ErrorOf(manager.Get(Must(Fixed(64 << 20).Build()), "LARGE")),
              AllOf(HasSubstr("out of memory over max_physical_bytes: asked 64.0 MiB"),
                    HasSubstr("in use 0 B of 1.00 GiB; anonymous RSS "), HasSubstr("; thread ")));
}

TEST(Nd4jComplaints, OneDoubleFitsInEightBytes_9370) {
  const auto ws = MakeWorkspace(Fixed(8).Spill(SpillPolicy::kFail));
  const WorkspaceScope scope = Must(ws->Enter());
  EXPECT_TRUE(TypedArray<double>::Create(1).has_value());
  EXPECT_EQ(ws->offset(), 8u);
}

}  // namespace
}  // namespace plimsoll
