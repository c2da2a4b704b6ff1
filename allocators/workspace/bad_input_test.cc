// Every bad input that a workspace must answer with a clear error, in one list.

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "allocators/allocation_error.h"
#include "allocators/workspace/file_test_support.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

std::string Refused(const Builder& builder) { return ErrorOf(builder.Build()); }

Builder Fixed(int64_t bytes) {
  return Builder().InitialSize(bytes).Allocation(AllocationPolicy::kStrict);
}

// What std::pmr code sees.
std::string Thrown(Workspace& workspace, size_t bytes) {
  try {
    static_cast<void>(workspace.allocate(bytes));
  } catch (const AllocationError& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(BadInput, NegativeSize) {
  EXPECT_THAT(Refused(Builder().InitialSize(-4096)),
              HasSubstr("initial_size: '-4096': expected bytes from 0 to 2^63 - 1"));
}

TEST(BadInput, NanSize) {
  EXPECT_THAT(Refused(Builder().OverallocationLimit(std::nan(""))),
              HasSubstr("overallocation_limit: 'nan': expected a finite share of at least 0"));
  EXPECT_THAT(ErrorOf(ParseWorkspaceConfiguration("initial_size=nan")),
              HasSubstr("initial_size: 'nan': expected a size"));
}

TEST(BadInput, OverflowingSize) {
  EXPECT_THAT(ErrorOf(ParseWorkspaceConfiguration("initial_size=9223372036854775808")),
              HasSubstr("'9223372036854775808': expected a size such as"));
  EXPECT_THAT(Refused(Builder().InitialSize(INT64_MAX)),
              HasSubstr("times (1 + overallocation_limit) below 2^63"));
}

TEST(BadInput, MinAboveMax) {
  EXPECT_THAT(Refused(Builder().MinSize(2).MaxSize(1)),
              HasSubstr("min_size: '2': expected at most max_size (1)"));
}

TEST(BadInput, InitialAboveMax) {
  EXPECT_THAT(Refused(Builder().InitialSize(2).MaxSize(1)),
              HasSubstr("initial_size: '2': expected at most max_size (1)"));
}

TEST(BadInput, LimitBelowZero) {
  EXPECT_THAT(Refused(Builder().OverallocationLimit(-1)),
              HasSubstr("overallocation_limit: '-1': expected a finite share of at least 0"));
}

TEST(BadInput, OverTimeWithoutCycles) {
  EXPECT_THAT(Refused(Builder().Learning(LearningPolicy::kOverTime)),
              HasSubstr("cycles_before_initialization: '0': expected at least 1"));
}

TEST(BadInput, RequestOfZeroBytes) {
  const auto ws = MakeWorkspace(Fixed(1024));
  const WorkspaceScope scope = Must(ws->Enter());
  const std::string expected =
      "workspace 'WS' (open, generation 1): request of 0 bytes: expected from 1 to "
      "9223372036854775800";
  EXPECT_EQ(Thrown(*ws, 0), expected);
  EXPECT_EQ(ErrorOf(Bytes::Create(0)), expected);
  EXPECT_EQ(ws->offset(), 0u);
  const OutsideScope out;
  EXPECT_THAT(ErrorOf(Bytes::Create(0)),
              HasSubstr("detached array: request of 0 bytes: expected from 1 to "));
}

TEST(BadInput, RequestAbovePtrdiffMax) {
  const auto ws = MakeWorkspace(Fixed(1024));
  const WorkspaceScope scope = Must(ws->Enter());
  for (const size_t bytes : {static_cast<size_t>(PTRDIFF_MAX) + 1, SIZE_MAX, SIZE_MAX - 7}) {
    EXPECT_EQ(Thrown(*ws, bytes), "workspace 'WS' (open, generation 1): request of " +
                                      std::to_string(bytes) +
                                      " bytes: expected from 1 to 9223372036854775800");
  }
  EXPECT_THAT(ErrorOf(TypedArray<double>::Create(SIZE_MAX / 8 + 1)),
              HasSubstr("elements of 8 bytes: expected at most 1152921504606846975"));
  const OutsideScope out;
  EXPECT_THAT(ErrorOf(Bytes::Create(PTRDIFF_MAX)), HasSubstr("expected from 1 to "));
}

TEST(BadInput, BorrowTwice) {
  const auto ws = MakeWorkspace(Fixed(1024));
  const WorkspaceScope scope = Must(ws->Enter());
  std::optional<WorkspaceScope> borrowed = Must(ws->Borrow());
  EXPECT_EQ(ErrorOf(ws->Borrow()),
            "workspace 'WS' (open 2 deep, borrowed, generation 1): borrow: it is borrowed "
            "already");
  borrowed.reset();
  EXPECT_TRUE(ws->Borrow().has_value());
}

TEST(BadInput, BorrowWhatIsNotOpen) {
  const auto ws = MakeWorkspace(Fixed(1024));
  EXPECT_EQ(ErrorOf(ws->Borrow()),
            "workspace 'WS' (closed, generation 0): borrow: expected an open workspace; enter it "
            "instead; open workspaces: none");
}

TEST(BadInput, CloseWithoutOpen) {
  const auto ws = MakeWorkspace(Fixed(1024));
  EXPECT_EQ(ErrorOf(ws->Close()),
            "workspace 'WS' (closed, generation 0): close: it is not open; open workspaces: none");
  Must(ws->Open());
  Must(ws->Close());
  EXPECT_THAT(ErrorOf(ws->Close()), HasSubstr("(closed, generation 1): close: it is not open"));
}

TEST(BadInput, DestroyWhileOpen) {
  WorkspaceManager manager;
  const WorkspaceScope scope = Must(manager.Enter(Must(Fixed(1024).Build()), "WS"));
  EXPECT_THAT(ErrorOf(manager.Destroy("WS")),
              HasSubstr("(open, generation 1): destroy: expected a closed workspace"));
}

TEST(BadInput, AllocateWhileClosed) {
  const auto ws = MakeWorkspace(Fixed(1024));
  const std::string expected =
      "workspace 'WS' (closed, generation 0): allocation of 8 bytes: expected an open workspace; "
      "open workspaces: none";
  EXPECT_EQ(Thrown(*ws, 8), expected);
  EXPECT_EQ(ErrorOf(Bytes::CreateIn(*ws, 8)), expected);
}

TEST(BadInput, SwitchOffWhileClosed) {
  const auto ws = MakeWorkspace(Fixed(1024));
  EXPECT_EQ(ErrorOf(ws->SwitchOff()),
            "workspace 'WS' (closed, generation 0): switch off: expected an open workspace");
  EXPECT_THAT(ErrorOf(ws->SwitchOn()), HasSubstr("switch on: expected an open workspace"));
}

TEST(BadInput, InitializeWithNothingToLearn) {
  const auto fixed = MakeWorkspace(Fixed(1024).Learning(LearningPolicy::kNone));
  EXPECT_THAT(ErrorOf(fixed->Initialize()),
              HasSubstr("initialize: expected learning FIRST_LOOP or OVER_TIME, it is NONE"));
  const auto learns = MakeWorkspace(Builder());
  EXPECT_THAT(ErrorOf(learns->Initialize()), HasSubstr("expected a cycle that allocated"));
  const WorkspaceScope scope = Must(learns->Enter());
  EXPECT_THAT(ErrorOf(learns->Initialize()), HasSubstr("expected a closed workspace"));
}

TEST(BadInput, UseFromAForeignThread) {
  const auto ws = MakeWorkspace(Fixed(1024));
  std::optional<WorkspaceScope> scope = Must(ws->Enter());
  const Bytes array = Must(Bytes::Create(8));
  std::thread([&] {
    const auto foreign = [](const std::string& action) {
      return MatchesRegex("workspace 'WS': " + action +
                          " on thread [0-9]+: expected thread [0-9]+, which made it; open "
                          "workspaces here: none");
    };
    EXPECT_THAT(Thrown(*ws, 8), foreign("allocation"));
    EXPECT_THAT(ErrorOf(ws->Enter()), foreign("enter"));
    EXPECT_THAT(ErrorOf(ws->Borrow()), foreign("borrow"));
    EXPECT_THAT(ErrorOf(ws->Open()), foreign("open"));
    EXPECT_THAT(ErrorOf(ws->Close()), foreign("close"));
    EXPECT_THAT(ErrorOf(ws->SwitchOff()), foreign("switch off"));
    EXPECT_THAT(ErrorOf(ws->Initialize()), foreign("initialize"));
    EXPECT_THAT(ErrorOf(array.values()),
                AllOf(HasSubstr("array of 8 bytes of workspace 'WS': used on thread"),
                      HasSubstr("which made it")));
    EXPECT_THAT(ErrorOf(array.Detach()), HasSubstr("which made it"));
    EXPECT_THAT(ErrorOf(scope->Close()),
                MatchesRegex("workspace scope: closed on thread [0-9]+, opened on thread [0-9]+: "
                             "a scope is closed where it was opened"));
  }).join();
  EXPECT_EQ(ws->offset(), 8u);
  EXPECT_EQ(CurrentWorkspace(), ws.get());
}

TEST(BadInput, UnknownId) {
  WorkspaceManager manager;
  EXPECT_THAT(ErrorOf(manager.Get("NOWHERE")), HasSubstr("workspace 'NOWHERE': unknown on thread"));
  const auto ws = MakeWorkspace(Fixed(1024));
  const WorkspaceScope scope = Must(ws->Enter());
  const Bytes array = Must(Bytes::Create(8));
  EXPECT_EQ(ErrorOf(array.LeverageTo("NOWHERE", /*enforce=*/true)),
            "array of 8 bytes: leverageTo 'NOWHERE': expected an open workspace of that id; open "
            "workspaces: 'WS' (current)");
}

TEST(BadInput, EmptyId) {
  EXPECT_EQ(ErrorOf(Workspace::Create(Must(Fixed(1024).Build()), "")),
            "workspace: id: '': expected at least one character");
}

TEST(BadInput, MmapWithLearning) {
  EXPECT_THAT(Refused(Fixed(1024)
                          .Location(LocationPolicy::kMmap)
                          .Learning(LearningPolicy::kOverTime)
                          .CyclesBeforeInitialization(1)),
              HasSubstr("learning: 'OVER_TIME': expected NONE with location MMAP"));
}

TEST(BadInput, MmapMirroredOnADevice) {
  HostStandInDevice device;
  WorkspaceOptions options;
  options.device = &device;
  const WorkspaceConfiguration mapped = Must(Fixed(1024).Location(LocationPolicy::kMmap).Build());
  EXPECT_THAT(ErrorOf(Workspace::Create(mapped, "WS", options)),
              HasSubstr("workspace 'WS': mirroring: 'FULL': expected HOST_ONLY with location "
                        "MMAP: device 'host stand-in'"));
}

TEST(BadInput, MmapOverADirectory) {
  const std::string path = ::testing::TempDir() + "/a-directory";
  std::filesystem::create_directory(path);
  EXPECT_EQ(ErrorOf(Workspace::Create(
                Must(Fixed(1024).Location(LocationPolicy::kMmap).MmapPath(path).Build()), "WS")),
            "workspace 'WS': initial 1024 bytes: " + path +
                ": open for a mapped workspace: Is a directory");
  std::filesystem::remove(path);
}

TEST(BadInput, MmapTemporaryDirectoryThatIsNone) {
  EXPECT_THAT(ErrorOf(Workspace::Create(Must(Fixed(1024)
                                                 .Location(LocationPolicy::kMmap)
                                                 .TemporaryDirectory("/no/such/directory")
                                                 .Build()),
                                        "WS")),
              HasSubstr("/no/such/directory: temporary file for a mapped workspace: No such file"));
}

TEST(BadInput, MmapOfAnEmptyFileWithoutASize) {
  const std::string path = ::testing::TempDir() + "/empty";
  std::ofstream(path).close();
  const WorkspaceConfiguration mapped =
      Must(Builder().Location(LocationPolicy::kMmap).MmapPath(path).Build());
  EXPECT_THAT(ErrorOf(Workspace::Create(mapped, "WS")),
              HasSubstr(path + ": initial_size: '0': expected above 0"));
  EXPECT_EQ(std::filesystem::file_size(path), 0u);
  std::filesystem::remove(path);
}

Expected<std::unique_ptr<Workspace>> MappedOnto(const std::string& path, int64_t bytes) {
  return Workspace::Create(
      Must(Fixed(bytes).Location(LocationPolicy::kMmap).MmapPath(path).Build()), "WS");
}

// mapped_file_test.cc has the same below the workspace, and on a file system that is
// mounted read-only.
TEST(BadInput, MmapOverAReadOnlyFile) {
  const std::string path = ::testing::TempDir() + "/read-only";
  std::ofstream(path) << "read me";
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  std::string error;
  {
    const WithoutRootsPowerOverFiles as_anybody;
    error = ErrorOf(MappedOnto(path, 1024));
  }
  EXPECT_EQ(error, "workspace 'WS': initial 1024 bytes: " + path +
                       ": open for a mapped workspace: Permission denied");
  EXPECT_EQ(std::filesystem::file_size(path), 7u);
  std::filesystem::remove(path);
}

// mapped_file_test.cc has the same on a small tmpfs, where it may mount one.
TEST(BadInput, MmapOverAFullDisk) {
  const std::string made = ::testing::TempDir() + "/made-on-a-full-disk";
  const std::string users = ::testing::TempDir() + "/users-on-a-full-disk";
  std::ofstream(users) << "the user's";
  {
    const FileSizeLimited full(64 << 10);
    for (const std::string& path : {made, users}) {
      EXPECT_EQ(ErrorOf(MappedOnto(path, 1 << 20)),
                "workspace 'WS': initial 1048576 bytes: " + path +
                    ": reserve 1048576 bytes: File too large");
    }
  }
  EXPECT_FALSE(std::filesystem::exists(made)) << "nothing is left behind";
  EXPECT_EQ(std::filesystem::file_size(users), 10u) << "a user's file is as it was";
  std::filesystem::remove(users);
}

TEST(BadInputDeathTest, AScopeThatEndsOnAForeignThreadAborts) {
  EXPECT_DEATH(
      {
        const auto ws = MakeWorkspace(Fixed(1024));
        std::optional<WorkspaceScope> scope = Must(ws->Enter());
        std::thread([&scope] { scope.reset(); }).join();
      },
      "scope.cc:[0-9]+: broken invariant: .*ended on a thread that did not open it");
}

}  // namespace
}  // namespace plimsoll
