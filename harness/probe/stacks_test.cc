#include "harness/probe/stacks.h"

#include <gtest/gtest.h>
#include <string.h>
#include <unistd.h>

#include <thread>

namespace plimsoll {
namespace {

__attribute__((noinline)) void TouchStack() {
  char room[1 << 20];
  memset(room, 1, sizeof room);
  asm volatile("" : : "r"(room) : "memory");
}

TEST(ResidentStackBytes, CountsAThreadsStackWhileItLives) {
  const Count before = ResidentStackBytes();
  ASSERT_TRUE(before.has_value());
  EXPECT_GT(*before, 4096u);
  int ready[2], leave[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(leave), 0);
  std::thread thread([&] {
    TouchStack();
    char byte = 0;
    EXPECT_EQ(write(ready[1], &byte, 1), 1);
    EXPECT_EQ(read(leave[0], &byte, 1), 1);
  });
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  usleep(20000);  // until it waits: a running thread's stack is not told
  const Count during = ResidentStackBytes();
  ASSERT_EQ(write(leave[1], &byte, 1), 1);
  thread.join();
  ASSERT_TRUE(during.has_value());
  EXPECT_GE(*during, *before + (1 << 20));
}

}  // namespace
}  // namespace plimsoll
