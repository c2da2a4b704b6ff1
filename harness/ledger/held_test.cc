// Descriptors, threads and forks, through the interposed functions.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "harness/client.h"
#include "harness/ledger/ledger.h"
#include "harness/ledger/test_support.h"

namespace plimsoll::ledger {
namespace {

struct Opener {
  const char* name;
  std::function<int()> open;
};

class EachDescriptor : public testing::TestWithParam<Opener> {};

TEST_P(EachDescriptor, IsHeldUntilClosed) {
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  const int descriptor = GetParam().open();
  // A terminal, in a root folder without /dev/pts.
  if (descriptor < 0 && errno == ENODEV) GTEST_SKIP() << strerror(errno);
  ASSERT_GE(descriptor, 0) << strerror(errno);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  EXPECT_EQ(close(descriptor), 0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
}

int Epoll() { return epoll_create1(0); }

INSTANTIATE_TEST_SUITE_P(
    Descriptors, EachDescriptor,
    testing::Values(Opener{"open", [] { return open("/dev/null", O_RDONLY); }},
                    Opener{"open64", [] { return open64("/dev/null", O_RDONLY); }},
                    Opener{"openat", [] { return openat(AT_FDCWD, "/dev/null", O_RDONLY); }},
                    Opener{"socket", [] { return socket(AF_UNIX, SOCK_STREAM, 0); }},
                    Opener{"dup", [] { return dup(0); }},
                    Opener{"dup2", [] { return dup2(0, 700); }},
                    Opener{"dup3", [] { return dup3(0, 701, O_CLOEXEC); }},
                    Opener{"fcntl", [] { return fcntl(0, F_DUPFD, 600); }},
                    Opener{"eventfd", [] { return eventfd(0, 0); }}, Opener{"epoll", Epoll},
                    Opener{"timerfd", [] { return timerfd_create(CLOCK_MONOTONIC, 0); }},
                    Opener{"signalfd",
                           [] {
                             sigset_t none;
                             sigemptyset(&none);
                             return signalfd(-1, &none, 0);
                           }},
                    Opener{"inotify", [] { return inotify_init1(0); }},
                    Opener{"memfd", [] { return memfd_create("x", 0); }},
                    Opener{"openpt", [] { return posix_openpt(O_RDWR | O_NOCTTY); }}),
    [](const testing::TestParamInfo<Opener>& opener) { return std::string(opener.param.name); });

TEST(Descriptors, PairsCountTwice) {
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  int ends[2];
  for (const auto& make :
       {std::function<int()>([&] { return pipe(ends); }),
        std::function<int()>([&] { return pipe2(ends, O_CLOEXEC); }),
        std::function<int()>([&] { return socketpair(AF_UNIX, SOCK_STREAM, 0, ends); })}) {
    ASSERT_EQ(make(), 0);
    EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 2);
    close(ends[0]);
    EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
    close(ends[1]);
    EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
  }
}

TEST(Descriptors, FailedOpensHoldNothing) {
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  EXPECT_LT(open("/no/such/file", O_RDONLY), 0);
  EXPECT_EQ(fopen("/no/such/file", "r"), nullptr);
  EXPECT_EQ(opendir("/no/such/folder"), nullptr);
  EXPECT_LT(dup(12345), 0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
}

TEST(Descriptors, StreamsAndFolders) {
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  FILE* file = fopen("/dev/null", "r");
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  file = freopen("/dev/zero", "r", file);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  fclose(file);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
  FILE* nameless = tmpfile();
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  fclose(nameless);
  FILE* wrapped = fdopen(open("/dev/null", O_RDONLY), "r");
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  fclose(wrapped);
  DIR* folder = opendir("/");
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  closedir(folder);
  FILE* command = popen("exit 0", "r");
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  pclose(command);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
  char buffer[16];
  FILE* memory = fmemopen(buffer, sizeof buffer, "w");
  fclose(memory);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
}

TEST(Descriptors, RangesCloseThem) {
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  for (int i = 800; i < 810; ++i) ASSERT_EQ(dup2(0, i), i);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 10);
  ASSERT_EQ(close_range(802, 805, 0), 0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 6);
  ASSERT_EQ(close_range(800, 809, CLOSE_RANGE_CLOEXEC), 0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 6);
  closefrom(800);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
}

TEST(Descriptors, PassedThroughASocket) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  char byte = 'x';
  iovec data = {&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  const int zero = 0;
  memcpy(CMSG_DATA(part), &zero, sizeof zero);
  ASSERT_EQ(sendmsg(ends[0], &message, 0), 1);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
  message.msg_controllen = sizeof room;
  ASSERT_EQ(recvmsg(ends[1], &message, 0), 1);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  int passed;
  memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed);
  close(passed);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
  close(ends[0]);
  close(ends[1]);
}

// Closed by a bare system call: the next snapshot notices.
TEST(Descriptors, ClosedUnseenAreTakenOutBySnapshots) {
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  const int descriptor = open("/dev/null", O_RDONLY);
  ASSERT_EQ(syscall(SYS_close, descriptor), 0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before + 1);
  Snapshot(0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
}

PLIMSOLL_TEST_SITE int OpenHere() {
  const int descriptor = open("/dev/null", O_RDONLY);
  __asm__ volatile("");
  return descriptor;
}

TEST(Descriptors, AreAttributedToSiteAndEpoch) {
  AdvanceEpoch();
  const int descriptor = OpenHere();
  const Seen seen = Snapshot(Epoch() - 1);
  int found = 0;
  for (const SiteRow& row : seen.sites) {
    if (row.kind != ResourceKind::kDescriptor || !IsFrom(row.site, &OpenHere)) continue;
    for (const EpochRow& epoch : seen.epochs) {
      if (epoch.site == row.site && epoch.epoch == Epoch()) found += static_cast<int>(epoch.blocks);
    }
  }
  EXPECT_EQ(found, 1);
  close(descriptor);
}

// A vfork child shares this memory: what it closes stays open here.
TEST(Descriptors, VforkChildrenCountForThemselves) {
  const int descriptor = open("/dev/null", O_RDONLY);
  const int64_t before = Blocks(ResourceKind::kDescriptor);
  const pid_t child = vfork();
  if (child == 0) {
    close(descriptor);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before);
  close(descriptor);
  EXPECT_EQ(Blocks(ResourceKind::kDescriptor), before - 1);
}

TEST(Threads, HeldUntilJoined) {
  const int64_t before = Blocks(ResourceKind::kThread);
  std::thread thread([] {});
  EXPECT_EQ(Blocks(ResourceKind::kThread), before + 1);
  thread.join();
  EXPECT_EQ(Blocks(ResourceKind::kThread), before);
}

TEST(Threads, EndedButNeverJoinedIsHeld) {
  const int64_t before = Blocks(ResourceKind::kThread);
  std::atomic<bool> ran{false};
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, nullptr,
                [](void* flag) -> void* {
                  *static_cast<std::atomic<bool>*>(flag) = true;
                  return nullptr;
                },
                &ran),
            0);
  while (!ran) usleep(100);
  usleep(20000);
  EXPECT_EQ(Blocks(ResourceKind::kThread), before + 1);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  EXPECT_EQ(Blocks(ResourceKind::kThread), before);
}

// Polls: a detached thread's end has no event to wait for.
bool BlocksBecome(ResourceKind kind, int64_t wanted) {
  for (int i = 0; i < 2000; ++i) {
    if (Blocks(kind) == wanted) return true;
    usleep(1000);
  }
  return false;
}

TEST(Threads, DetachedAreHeldUntilTheyEnd) {
  const int64_t before = Blocks(ResourceKind::kThread);
  std::atomic<bool> stop{false};
  std::thread([&] {
    while (!stop) usleep(100);
  }).detach();
  EXPECT_EQ(Blocks(ResourceKind::kThread), before + 1);
  stop = true;
  EXPECT_TRUE(BlocksBecome(ResourceKind::kThread, before));
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &detached, [](void*) -> void* { pthread_exit(nullptr); }, nullptr),
            0);
  EXPECT_TRUE(BlocksBecome(ResourceKind::kThread, before));
  pthread_attr_destroy(&detached);
}

TEST(Threads, C11AndTimedJoins) {
  const int64_t before = Blocks(ResourceKind::kThread);
  thrd_t thread;
  int result = 0;
  ASSERT_EQ(thrd_create(
                &thread, [](void*) { return 42; }, nullptr),
            thrd_success);
  EXPECT_EQ(Blocks(ResourceKind::kThread), before + 1);
  ASSERT_EQ(thrd_join(thread, &result), thrd_success);
  EXPECT_EQ(result, 42);
  EXPECT_EQ(Blocks(ResourceKind::kThread), before);
  pthread_t posix;
  ASSERT_EQ(pthread_create(
                &posix, nullptr, [](void* value) { return value; }, &result),
            0);
  timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += 60;
  void* returned = nullptr;
  ASSERT_EQ(pthread_timedjoin_np(posix, &returned, &deadline), 0);
  EXPECT_EQ(returned, &result);
  EXPECT_EQ(Blocks(ResourceKind::kThread), before);
}

TEST(Threads, FailedJoinKeepsThem) {
  const int64_t before = Blocks(ResourceKind::kThread);
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    while (!stop) usleep(100);
  });
  void* result;
  EXPECT_EQ(pthread_tryjoin_np(thread.native_handle(), &result), EBUSY);
  EXPECT_EQ(Blocks(ResourceKind::kThread), before + 1);
  stop = true;
  thread.join();
  EXPECT_EQ(Blocks(ResourceKind::kThread), before);
}

// Forks while eight threads allocate: the child's counts equal its records.
TEST(Fork, ChildOfAThreadedProcessIsExact) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      void* blocks[64] = {};
      for (unsigned i = t; !stop; ++i) {
        free(blocks[i % 64]);
        blocks[i % 64] = malloc(i % 5000);
      }
      for (void* block : blocks) free(block);
    });
  }
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      void* block = Escaped(malloc(123));
      uint64_t sums[2] = {};
      TakeSnapshot(0, {.context = sums,
                       .site =
                           [](void* context, const SiteRow& row) {
                             if (row.kind != ResourceKind::kHeap) return;
                             static_cast<uint64_t*>(context)[0] += row.live_bytes;
                             static_cast<uint64_t*>(context)[1] += row.live_blocks;
                           },
                       .epoch = [](void*, const EpochRow&) {}});
      const LedgerCounters counters = Read();
      const HeldCount heap = counters.held[static_cast<size_t>(ResourceKind::kHeap)];
      const bool exact = heap.bytes == sums[0] && heap.blocks == sums[1];
      const uint64_t running = counters.held[static_cast<size_t>(ResourceKind::kThread)].blocks;
      free(block);
      _exit(exact ? (running == 0 ? 0 : 2) : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace plimsoll::ledger
