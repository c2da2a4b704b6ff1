#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/file_test_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ / name; }
  int Entries() const {
    int entries = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) entries += !entry.path().empty();
    return entries;
  }

  fs::path folder_;
};

TEST_F(FileTest, WrittenIsRead) {
  const std::string contents("a\0b\n", 4);
  ASSERT_TRUE(WriteFile(Path("f"), contents));
  EXPECT_EQ(ReadFile(Path("f")).value(), contents);
  const std::string large(1 << 20, 'x');
  ASSERT_TRUE(WriteFile(Path("f"), large));
  EXPECT_EQ(ReadFile(Path("f")).value(), large);
  EXPECT_EQ(Entries(), 1);
}

TEST_F(FileTest, PermissionsAreTheUsualOnesOrTheOldFiles) {
  const mode_t mask = umask(027);
  ASSERT_TRUE(WriteFile(Path("f"), "1"));
  umask(mask);
  struct stat status;
  ASSERT_EQ(stat(Path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  ASSERT_EQ(chmod(Path("f").c_str(), 0604), 0);
  ASSERT_TRUE(WriteFile(Path("f"), "2"));
  ASSERT_EQ(stat(Path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0604u);
}

TEST_F(FileTest, LinkKeepsPointing) {
  ASSERT_TRUE(WriteFile(Path("real"), "1"));
  fs::create_symlink("real", Path("link"));
  ASSERT_TRUE(WriteFile(Path("link"), "2"));
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(ReadFile(Path("real")).value(), "2");
}

TEST_F(FileTest, FailedWriteLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(WriteFile(Path("f"), "old"));
  // A limit on file size is a disk that fills up halfway.
  struct rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  struct rlimit small = limit;
  small.rlim_cur = 5000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = WriteFile(Path("f"), std::string(100000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message, Path("f") + ": write: File too large");
  EXPECT_EQ(ReadFile(Path("f")).value(), "old");
  EXPECT_EQ(Entries(), 1);
}

TEST_F(FileTest, DevicesAreWrittenTo) {
  EXPECT_TRUE(WriteFile("/dev/null", "x"));
  const Status full = WriteFile("/dev/full", "x");
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().message, "/dev/full: write: No space left on device");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(FileTest, ErrorsNameThePath) {
  EXPECT_EQ(ReadFile(Path("none")).error().message,
            Path("none") + ": open: No such file or directory");
  EXPECT_EQ(ReadFile(Path("")).error().message, Path("") + ": read: Is a directory");
  EXPECT_EQ(WriteFile(Path(""), "x").error().message, Path("") + ": write: Is a directory");
  EXPECT_EQ(WriteFile(Path("none/f"), "x").error().message,
            Path("none/f") + ": create a temporary file beside it: No such file or directory");
}

}  // namespace
}  // namespace plimsoll
