#include "harness/runner/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace plimsoll {
namespace {

using testing::HasSubstr;

ProcessOptions Shell(const std::string& script) {
  ProcessOptions options;
  options.command = {"/bin/sh", "-c", script};
  return options;
}

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    pollfd poller = {fd, POLLIN, 0};
    poll(&poller, 1, 10000);
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

ExitStatus WaitFor(ChildProcess& child) {
  for (int i = 0; i < 10000; ++i) {
    if (const auto status = child.Poll(); status.has_value()) return *status;
    usleep(1000);
  }
  ADD_FAILURE() << "the child did not end";
  return {};
}

TEST(ChildProcess, ReportsExitStatusAndOutput) {
  Expected<ChildProcess> child = ChildProcess::Start(Shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(child.has_value()) << child.error().message;
  EXPECT_EQ(ReadToEnd(child->output_fd()), "out\nerr\n");
  EXPECT_EQ(Describe(WaitFor(*child)), "exit status 3");
}

TEST(ChildProcess, ReportsSignals) {
  Expected<ChildProcess> child = ChildProcess::Start(Shell("kill -SEGV $$"));
  ASSERT_TRUE(child.has_value());
  EXPECT_THAT(Describe(WaitFor(*child)), HasSubstr("SIGSEGV (Segmentation fault)"));
}

TEST(ChildProcess, MissingProgramIsAnErrorNotAnExitStatus) {
  ProcessOptions options;
  options.command = {"/no/such/program"};
  const Expected<ChildProcess> child = ChildProcess::Start(options);
  ASSERT_FALSE(child.has_value());
  EXPECT_EQ(child.error().message, "/no/such/program: cannot run: No such file or directory");
  options.command = {"/etc/passwd"};
  EXPECT_THAT(ChildProcess::Start(options).error().message, HasSubstr("Permission denied"));
  options.command = {};
  EXPECT_THAT(ChildProcess::Start(options).error().message, HasSubstr("expected a program"));
}

TEST(ChildProcess, EnvironmentIsSetBeforeExec) {
  ProcessOptions options = Shell("echo $LD_PRELOAD,$A,$PLIMSOLL_PARENT");
  options.variables = {{"A", "first"}, {"A", "second"}};
  // Sanitizer runtimes must come first in LD_PRELOAD; an empty list leaves it alone.
  unsetenv("LD_PRELOAD");
  Expected<ChildProcess> child = ChildProcess::Start(options);
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(ReadToEnd(child->output_fd()), ",second," + std::to_string(getpid()) + "\n");
}

TEST(ChildProcess, AgentSocketReachesTheChild) {
  ProcessOptions options;
  options.command = {"/bin/bash", "-c",
                     "read word <&$PLIMSOLL_AGENT_FD; echo got $word >&$PLIMSOLL_AGENT_FD"};
  Expected<ChildProcess> child = ChildProcess::Start(options);
  ASSERT_TRUE(child.has_value());
  ASSERT_EQ(send(child->agent_fd(), "ping\n", 5, MSG_NOSIGNAL), 5);
  EXPECT_EQ(ReadToEnd(child->agent_fd()), "got ping\n");
}

TEST(ChildProcess, DestructorLeavesNobodyBehind) {
  pid_t pid = -1;
  {
    Expected<ChildProcess> child =
        ChildProcess::Start(Shell("trap '' TERM INT; sleep 1000 & wait"));
    ASSERT_TRUE(child.has_value());
    pid = child->pid();
    EXPECT_FALSE(child->Poll().has_value());
  }
  errno = 0;
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  // Its own child was in the group; init reaps it a moment later.
  for (int i = 0; i < 1000 && kill(-pid, 0) == 0; ++i) usleep(1000);
  EXPECT_EQ(kill(-pid, 0), -1);
}

}  // namespace
}  // namespace plimsoll
