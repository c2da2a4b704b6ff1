#include "allocators/workspace/mapped_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "allocators/workspace/file_test_support.h"
#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(const Expected<MappedFile>& file) {
  return file ? "no error" : file.error().message;
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

class MappedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/mapped-file-" + std::to_string(::getpid());
    std::filesystem::create_directory(directory_);
    path_ = directory_ + "/file";
    descriptors_ = OpenDescriptors();
  }
  void TearDown() override {
    EXPECT_EQ(OpenDescriptors(), descriptors_) << "a descriptor was left open";
    std::filesystem::remove_all(directory_);
  }

  std::string directory_;
  std::string path_;
  size_t descriptors_ = 0;
};

TEST_F(MappedFileTest, CreatesAMissingFileThatOnlyItsOwnerReads) {
  {
    const Expected<MappedFile> file = MappedFile::OpenNamed(path_, 10'000);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->size(), 10'000u);
    std::memset(file->data(), 'x', file->size());
  }
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(Contents(path_), std::string(10'000, 'x'));
}

TEST_F(MappedFileTest, ALongerFileIsMappedWholeAndNeverShortened) {
  std::ofstream(path_) << std::string(20'000, 'u');
  {
    const Expected<MappedFile> file = MappedFile::OpenNamed(path_, 100);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->size(), 20'000u);
    std::memset(file->data(), 'x', 50);
  }
  EXPECT_EQ(Contents(path_), std::string(50, 'x') + std::string(19'950, 'u'));
  {
    const Expected<MappedFile> file = MappedFile::OpenNamed(path_, 100, /*max_bytes=*/5000);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->size(), 5000u);
  }
  EXPECT_EQ(std::filesystem::file_size(path_), 20'000u);
}

TEST_F(MappedFileTest, SizeZeroTakesTheLengthThatTheFileHas) {
  std::ofstream(path_) << std::string(12'345, 'u');
  EXPECT_EQ(MappedFile::OpenNamed(path_, 0)->size(), 12'345u);
}

TEST_F(MappedFileTest, GrowsInPlaceAndKeepsTheContents) {
  Expected<MappedFile> file = MappedFile::OpenTemporary(directory_, 4096);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  std::memset(file->data(), 'x', 4096);
  ASSERT_TRUE(file->Grow(1 << 20).has_value());
  EXPECT_EQ(file->size(), 1_MiB);
  EXPECT_EQ(std::count(file->data(), file->data() + 4096, std::byte{'x'}), 4096);
  std::memset(file->data(), 'y', file->size());
  ASSERT_TRUE(file->Grow(10).has_value()) << "to less is nothing";
  EXPECT_EQ(file->size(), 1_MiB);
}

TEST_F(MappedFileTest, DirectoryAndFifoAreErrorsThatNameThePath) {
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(directory_, 4096)),
            directory_ + ": open for a mapped workspace: Is a directory");
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(path_, 4096)),
            path_ + ": expected a regular file for a mapped workspace");
  EXPECT_THAT(ErrorOf(MappedFile::OpenNamed(directory_ + "/no/file", 4096)),
              HasSubstr("/no/file: open for a mapped workspace: No such file or directory"));
}

TEST_F(MappedFileTest, AReadOnlyFileIsAnErrorAndStaysAsItIs) {
  std::ofstream(path_) << "read me";
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  std::string error;
  std::string missing;
  {
    const WithoutRootsPowerOverFiles as_anybody;
    error = ErrorOf(MappedFile::OpenNamed(path_, 4096));
    missing = ErrorOf(MappedFile::OpenNamed("/proc/not-here", 4096));
  }
  EXPECT_EQ(error, path_ + ": open for a mapped workspace: Permission denied");
  EXPECT_THAT(missing, HasSubstr("/proc/not-here: open for a mapped workspace: "));
  EXPECT_EQ(Contents(path_), "read me");
}

TEST_F(MappedFileTest, AFileInUseIsAnErrorUntilItIsFree) {
  std::optional<MappedFile> first = std::move(*MappedFile::OpenNamed(path_, 4096));
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(path_, 4096)),
            path_ + ": in use by another workspace (its lock is taken)");
  first.reset();
  EXPECT_TRUE(MappedFile::OpenNamed(path_, 4096).has_value());
}

// A disk that is full, by the file-size limit: this path needs no privilege and so
// always runs.
class MappedFileSizeLimitTest : public MappedFileTest {
 private:
  const FileSizeLimited limited_{1 << 20};
};

TEST_F(MappedFileSizeLimitTest, IsAnErrorBeforeAnyStoreAndLeavesNothingBehind) {
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(path_, 2 << 20)),
            path_ + ": reserve 2097152 bytes: File too large");
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(ErrorOf(MappedFile::OpenTemporary(directory_, 2 << 20)),
            directory_ + "/(temporary file): reserve 2097152 bytes: File too large");
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(MappedFileSizeLimitTest, AUsersFileHasItsOldLengthAndContentsAgain) {
  std::ofstream(path_) << std::string(300, 'u');
  EXPECT_FALSE(MappedFile::OpenNamed(path_, 2 << 20).has_value());
  EXPECT_EQ(Contents(path_), std::string(300, 'u'));
}

TEST_F(MappedFileSizeLimitTest, AMappingThatCannotGrowStaysAsItIs) {
  {
    Expected<MappedFile> file = MappedFile::OpenNamed(path_, 1 << 20);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    std::memset(file->data(), 'x', file->size());
    EXPECT_FALSE(file->Grow(2 << 20).has_value());
    EXPECT_EQ(file->size(), 1_MiB);
    EXPECT_EQ(file->data()[(1 << 20) - 1], std::byte{'x'});
  }
  EXPECT_EQ(std::filesystem::file_size(path_), 1_MiB);
}

TEST_F(MappedFileSizeLimitTest, TheSignalNeitherEndsTheProcessNorStaysPending) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  EXPECT_FALSE(MappedFile::OpenTemporary(directory_, 2 << 20).has_value());
  sigset_t after;
  sigset_t pending;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  sigpending(&pending);
  EXPECT_EQ(sigismember(&after, SIGXFSZ), sigismember(&before, SIGXFSZ));
  EXPECT_EQ(sigismember(&pending, SIGXFSZ), 0);
}

// The same on a real disk that is too small. Needs to be allowed to mount.
class MappedFileFullDiskTest : public MappedFileTest {
 protected:
  void SetUp() override {
    MappedFileTest::SetUp();
    disk_ = directory_ + "/disk";
    std::filesystem::create_directory(disk_);
    // In a mount namespace of our own, so that the disk goes with the process even if the
    // test does not come to its end.
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("plimsoll", disk_.c_str(), "tmpfs", 0, "size=1m") == 0;
    if (!mounted_) {
      GTEST_SKIP() << "mounting a small tmpfs: " << std::strerror(errno)
                   << "; the file-size limit stands in for it";
    }
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(::umount(disk_.c_str()), 0) << std::strerror(errno);
    }
    MappedFileTest::TearDown();
  }

  std::string disk_;
  bool mounted_ = false;
};

TEST_F(MappedFileFullDiskTest, IsAnErrorBeforeASigbusAndLeavesNothingBehind) {
  const std::string file = disk_ + "/file";
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(file, 2 << 20)),
            file + ": reserve 2097152 bytes: No space left on device");
  EXPECT_EQ(ErrorOf(MappedFile::OpenTemporary(disk_, 2 << 20)),
            disk_ + "/(temporary file): reserve 2097152 bytes: No space left on device");
  EXPECT_TRUE(std::filesystem::is_empty(disk_));
  const Expected<MappedFile> fits = MappedFile::OpenNamed(file, 512 << 10);
  ASSERT_TRUE(fits.has_value()) << "no space was kept: " << fits.error().message;
  std::memset(fits->data(), 'x', fits->size());
}

TEST_F(MappedFileFullDiskTest, ASparseFileOfTheUsersIsAnErrorToo) {
  // Its length is there, its blocks are not: a store would be the SIGBUS.
  const std::string file = disk_ + "/sparse";
  std::ofstream(file).close();
  std::filesystem::resize_file(file, 2 << 20);
  EXPECT_THAT(ErrorOf(MappedFile::OpenNamed(file, 4096)),
              HasSubstr("reserve 2097152 bytes: No space left on device"));
  EXPECT_EQ(std::filesystem::file_size(file), 2_MiB);
}

TEST_F(MappedFileFullDiskTest, AReadOnlyFileSystemIsAnError) {
  const std::string file = disk_ + "/file";
  std::ofstream(file) << "read me";
  ASSERT_EQ(::mount("plimsoll", disk_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(file, 4096)),
            file + ": open for a mapped workspace: Read-only file system");
  EXPECT_EQ(ErrorOf(MappedFile::OpenTemporary(disk_, 4096)),
            disk_ + ": temporary file for a mapped workspace: Read-only file system");
  EXPECT_EQ(Contents(file), "read me");
}

TEST_F(MappedFileTest, WhenTheKernelRefusesTheMappingTheFileIsAsBefore) {
  const MappedFileCalls refusing = {&::posix_fallocate,
                                    [](void*, size_t, int, int, int, off_t) -> void* {
                                      errno = ENOMEM;
                                      return MAP_FAILED;
                                    }};
  std::ofstream(path_) << "the user's";
  EXPECT_EQ(ErrorOf(MappedFile::OpenNamed(path_, 4096, 0, refusing)),
            path_ + ": map 4096 bytes: Cannot allocate memory");
  EXPECT_EQ(Contents(path_), "the user's");
}

TEST_F(MappedFileTest, AnInterruptedReservationIsTriedAgain) {
  static int calls = 0;
  calls = 0;
  const MappedFileCalls interrupted = {[](int descriptor, off_t offset, off_t bytes) {
                                         if (++calls < 3) return EINTR;
                                         return ::posix_fallocate(descriptor, offset, bytes);
                                       },
                                       &::mmap};
  EXPECT_TRUE(MappedFile::OpenTemporary(directory_, 4096, interrupted).has_value());
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace plimsoll
