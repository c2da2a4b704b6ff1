#include "harness/probe/held_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace plimsoll {
namespace {

TEST(HeldFile, IsOutOfTheWayAndClosedOnExec) {
  HeldFile file;
  ASSERT_TRUE(file.Open(AT_FDCWD, "/proc/self/status", O_RDONLY));
  struct rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur > 1100) {
    EXPECT_GE(file.fd(), 1000);
  }
  EXPECT_NE(fcntl(file.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(HeldFile, LowLimitKeepsALowNumber) {
  struct rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  struct rlimit low = limit;
  low.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  HeldFile file;
  const bool opened = file.Open(AT_FDCWD, "/proc/self/status", O_RDONLY);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_TRUE(opened);
  EXPECT_LT(file.fd(), 256);
  EXPECT_TRUE(file.Intact());
}

TEST(HeldFile, MissingFileHoldsNothing) {
  HeldFile file;
  ASSERT_TRUE(file.Open(AT_FDCWD, "/proc/self/status", O_RDONLY));
  EXPECT_FALSE(file.Open(AT_FDCWD, "/proc/self/no such file", O_RDONLY));
  EXPECT_EQ(file.fd(), -1);
  EXPECT_FALSE(file.Intact());
  EXPECT_FALSE(file.ForEachLine([](std::string_view) {}));
}

TEST(HeldFile, NumberReusedByTheProgramIsLeftAlone) {
  char path[] = "held_file_test_XXXXXX";
  const int scratch = mkstemp(path);
  ASSERT_GE(scratch, 0);
  int number = -1;
  {
    HeldFile file;
    ASSERT_TRUE(file.Open(AT_FDCWD, "/proc/self/status", O_RDONLY));
    number = file.fd();
    // What a program does that closes every descriptor and opens its own.
    ASSERT_EQ(dup2(scratch, number), number);
    EXPECT_FALSE(file.Intact());
    EXPECT_FALSE(file.ForEachLine([](std::string_view) {}));
  }
  EXPECT_NE(fcntl(number, F_GETFD), -1) << "the program's descriptor was closed";
  close(number);
  close(scratch);
  unlink(path);
}

TEST(HeldFile, ReadsFromTheStartEachTime) {
  HeldFile file;
  ASSERT_TRUE(file.Open(AT_FDCWD, "/proc/self/status", O_RDONLY));
  for (int i = 0; i < 2; ++i) {
    std::string first;
    size_t lines = 0;
    EXPECT_TRUE(file.ForEachLine([&](std::string_view line) {
      if (lines++ == 0) first = line;
    }));
    EXPECT_TRUE(first.starts_with("Name:")) << first;
    EXPECT_GT(lines, 20u);
  }
}

TEST(HeldFile, CountsTheEntriesOfADirectory) {
  char path[] = "held_file_test_XXXXXX";
  ASSERT_NE(mkdtemp(path), nullptr);
  HeldFile directory;
  ASSERT_TRUE(directory.Open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
  EXPECT_EQ(directory.CountEntries(), 0u);
  // More than one buffer holds.
  for (int i = 0; i < 500; ++i) {
    const int file = openat(directory.fd(), std::to_string(i).c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(file, 0);
    close(file);
  }
  EXPECT_EQ(directory.CountEntries(), 500u);
  for (int i = 0; i < 500; ++i) unlinkat(directory.fd(), std::to_string(i).c_str(), 0);
  EXPECT_EQ(directory.CountEntries(), 0u);
  rmdir(path);

  HeldFile file;
  ASSERT_TRUE(file.Open(AT_FDCWD, "/proc/self/status", O_RDONLY));
  EXPECT_EQ(file.CountEntries(), std::nullopt);
}

TEST(HeldFile, MovingLeavesOneOwner) {
  HeldFile first;
  ASSERT_TRUE(first.Open(AT_FDCWD, "/proc/self/status", O_RDONLY));
  const int number = first.fd();
  HeldFile second(std::move(first));
  EXPECT_FALSE(first.Intact());
  EXPECT_EQ(second.fd(), number);
  first = std::move(second);
  EXPECT_TRUE(first.Intact());
  first.Close();
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace plimsoll
