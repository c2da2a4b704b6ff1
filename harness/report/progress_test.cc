#include "harness/report/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace plimsoll {
namespace {

Sample SampleAt(uint32_t iteration) {
  Sample sample;
  sample.iteration = iteration;
  sample.process.rss_bytes = uint64_t{212} << 20;
  sample.ledger.emplace();
  sample.ledger->held[0].bytes = 1536;
  return sample;
}

std::string ReadAvailable(int fd) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  char buffer[4096];
  std::string text;
  ssize_t got;
  while ((got = read(fd, buffer, sizeof(buffer))) > 0)
    text.append(buffer, static_cast<size_t>(got));
  return text;
}

TEST(Progress, TellsWhereTheRunIs) {
  EXPECT_EQ(ProgressText(2, 7, "a/opencv/system/glibc", SampleAt(96)),
            "[2/7] a/opencv/system/glibc  iteration 96  live 1.50 KiB  RSS 212 MiB");
  Sample blind;
  blind.iteration = 1;
  EXPECT_EQ(ProgressText(1, 1, "a", blind), "[1/1] a  iteration 1");
}

TEST(Progress, PrintsNothingIntoAPipe) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  {
    Progress progress(fds[1], 1);
    progress.StartCase("a");
    progress.OnSample(SampleAt(1));
    progress.EndCase();
  }
  EXPECT_EQ(ReadAvailable(fds[0]), "");
  close(fds[0]);
  close(fds[1]);
}

TEST(Progress, DrawsOnATerminalAndLeavesItEmpty) {
  int master = -1;
  int slave = -1;
  if (openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) {
    // In a root folder without /dev/pts.
    ASSERT_TRUE(errno == ENODEV || errno == ENOENT) << strerror(errno);
    GTEST_SKIP() << "no terminals: " << strerror(errno);
  }
  {
    Progress progress(slave, 3);
    progress.StartCase("name");
    progress.OnSample(SampleAt(5));
  }
  const std::string drawn = ReadAvailable(master);
  EXPECT_THAT(drawn, testing::HasSubstr("[1/3] name"));
  EXPECT_THAT(drawn, testing::HasSubstr("iteration 5"));
  EXPECT_THAT(drawn, testing::EndsWith("\r\033[K"));
  close(master);
  close(slave);
}

}  // namespace
}  // namespace plimsoll
