#include "harness/probe/process_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace plimsoll {
namespace {

constexpr size_t kMiB = 1 << 20;
constexpr size_t kBig = 64 * kMiB;
// What a test process may gain or lose beside what the test does, per-CPU counters of
// Linux 6.2 included.
constexpr size_t kSlackBytes = 4 * kMiB;
constexpr double kSlack = kSlackBytes;

// Anonymous pages, touched, away from any malloc.
class Pages {
 public:
  explicit Pages(size_t size, int flags = MAP_PRIVATE | MAP_ANONYMOUS)
      : size_(size), start_(mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0)) {
    std::memset(start_, 1, size);
  }
  ~Pages() { munmap(start_, size_); }

 private:
  size_t size_;
  void* start_;
};

double Difference(const Count& after, const Count& before) {
  EXPECT_TRUE(after.has_value() && before.has_value());
  return after && before ? static_cast<double>(*after) - static_cast<double>(*before) : 0;
}

TEST(ProcessProbe, TouchedPagesAreAnonymousRss) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  const ProcessCounters before = probe.Sample(SampleLevel::kFull);
  const Pages pages(kBig);
  const ProcessCounters after = probe.Sample(SampleLevel::kFull);
  EXPECT_NEAR(Difference(after.rss_anon_bytes, before.rss_anon_bytes), kBig, kSlack);
  EXPECT_NEAR(Difference(after.rss_bytes, before.rss_bytes), kBig, kSlack);
  EXPECT_NEAR(Difference(after.rss_file_bytes, before.rss_file_bytes), 0, kSlack);
  EXPECT_NEAR(Difference(after.vm_size_bytes, before.vm_size_bytes), kBig, kSlack);
  EXPECT_GE(Difference(after.vm_peak_bytes, before.vm_peak_bytes), 0);
  // At least one fault for each huge page.
  EXPECT_GE(Difference(after.minor_faults, before.minor_faults), kBig / (2 * kMiB));
  EXPECT_GE(Difference(after.major_faults, before.major_faults), 0);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_TRUE(after.swap_bytes.has_value());
  if (before.pss_bytes) {
    EXPECT_NEAR(Difference(after.pss_bytes, before.pss_bytes), kBig, kSlack);
    EXPECT_NEAR(Difference(after.private_dirty_bytes, before.private_dirty_bytes), kBig, kSlack);
  }
}

TEST(ProcessProbe, SharedPagesAreShmemRss) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  const ProcessCounters before = probe.Sample(SampleLevel::kEveryIteration);
  const Pages pages(kBig, MAP_SHARED | MAP_ANONYMOUS);
  const ProcessCounters after = probe.Sample(SampleLevel::kEveryIteration);
  EXPECT_NEAR(Difference(after.rss_shmem_bytes, before.rss_shmem_bytes), kBig, kSlack);
  EXPECT_NEAR(Difference(after.rss_anon_bytes, before.rss_anon_bytes), 0, kSlack);
}

TEST(ProcessProbe, HighWaterMarkIsOfTheIteration) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  { const Pages pages(kBig); }
  const ProcessCounters first = probe.Sample(SampleLevel::kEveryIteration);
  EXPECT_FALSE(first.hwm_is_per_iteration);
  EXPECT_GE(Difference(first.hwm_bytes, first.rss_bytes), kBig - kSlack);
  const ProcessCounters second = probe.Sample(SampleLevel::kEveryIteration);
  if (!second.hwm_is_per_iteration) GTEST_SKIP() << "this kernel does not reset VmHWM";
  EXPECT_NEAR(Difference(second.hwm_bytes, second.rss_bytes), 0, kSlack);
  { const Pages pages(kBig / 2); }
  const ProcessCounters third = probe.Sample(SampleLevel::kEveryIteration);
  EXPECT_TRUE(third.hwm_is_per_iteration);
  EXPECT_NEAR(Difference(third.hwm_bytes, third.rss_bytes), kBig / 2, kSlack);
}

TEST(ProcessProbe, HighWaterMarkIsLeftAloneWhenAsked) {
  ProcessProbe probe = ProcessProbe::ForSelf({.reset_hwm = false});
  { const Pages pages(kBig); }
  probe.Sample(SampleLevel::kEveryIteration);
  const ProcessCounters second = probe.Sample(SampleLevel::kEveryIteration);
  EXPECT_FALSE(second.hwm_is_per_iteration);
  EXPECT_GE(Difference(second.hwm_bytes, second.rss_bytes), kBig - kSlack);
}

TEST(ProcessProbe, CountsDescriptorsMappingsAndThreads) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  const ProcessCounters before = probe.Sample(SampleLevel::kFull);

  std::vector<int> descriptors;
  for (int i = 0; i < 37; ++i) descriptors.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<void*> mappings;
  for (int i = 0; i < 40; ++i) {
    // Alternating protection keeps the kernel from merging neighbours.
    mappings.push_back(mmap(nullptr, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  const ProcessCounters opened = probe.Sample(SampleLevel::kFull);
  EXPECT_EQ(Difference(opened.descriptors, before.descriptors), 37);
  // Some may lie beside one that was there before, and become one with it.
  EXPECT_GE(Difference(opened.mappings, before.mappings), 36);
  EXPECT_LE(Difference(opened.mappings, before.mappings), 42);
  for (const int descriptor : descriptors) close(descriptor);
  for (void* mapping : mappings) munmap(mapping, 4096);

  std::atomic<bool> stop = false;
  std::thread thread([&] {
    while (!stop) std::this_thread::yield();
  });
  const ProcessCounters running = probe.Sample(SampleLevel::kFull);
  stop = true;
  thread.join();
  EXPECT_EQ(Difference(running.threads, opened.threads), 1);
  EXPECT_EQ(running.descriptors, before.descriptors);
}

TEST(ProcessProbe, OwnDescriptorsAreNotCounted) {
  ProcessProbe first = ProcessProbe::ForSelf();
  const Count before = first.Sample(SampleLevel::kFull).descriptors;
  ProcessProbe second = ProcessProbe::ForSelf();
  EXPECT_GT(second.held(), 4);
  EXPECT_EQ(Difference(first.Sample(SampleLevel::kFull).descriptors, before), second.held());
  EXPECT_EQ(Difference(second.Sample(SampleLevel::kFull).descriptors, before), first.held());

  int64_t open_now = -1;  // the iterator's own descriptor
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++open_now;
  }
  EXPECT_EQ(static_cast<int64_t>(*before), open_now - first.held() - second.held());
}

TEST(ProcessProbe, CheapLevelLeavesTheDearAbsent) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  const ProcessCounters counters = probe.Sample(SampleLevel::kEveryIteration);
  EXPECT_EQ(counters.pss_bytes, std::nullopt);
  EXPECT_EQ(counters.descriptors, std::nullopt);
  EXPECT_EQ(counters.mappings, std::nullopt);
  EXPECT_EQ(counters.malloc_in_use_bytes, std::nullopt);
  EXPECT_EQ(counters.cgroup_current_bytes, std::nullopt);
}

TEST(ProcessProbe, DefaultOneSamplesNothing) {
  constinit static ProcessProbe probe;
  const ProcessCounters counters = probe.Sample(SampleLevel::kFull);
  EXPECT_EQ(counters.rss_bytes, std::nullopt);
  EXPECT_EQ(counters.minor_faults, std::nullopt);
}

TEST(ProcessProbe, ErrnoIsKept) {
  ProcessProbe probe = ProcessProbe::ForPid(999999999);
  errno = 4711;
  probe.Sample(SampleLevel::kFull);
  EXPECT_EQ(errno, 4711);
}

TEST(ProcessProbe, SurvivesAProgramThatClosesEverything) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  probe.Sample(SampleLevel::kFull);
  for (int descriptor = 3; descriptor < 2000; ++descriptor) close(descriptor);
  const ProcessCounters counters = probe.Sample(SampleLevel::kFull);
  EXPECT_TRUE(counters.rss_bytes.has_value());
  EXPECT_TRUE(counters.descriptors.has_value());
  EXPECT_TRUE(counters.mappings.has_value());
}

// Runs `body` in a forked child and returns its exit status.
template <typename Body>
int InChild(Body&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ProcessProbe, ForkedChildSamplesItself) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  const Count parent = probe.Sample(SampleLevel::kFull).rss_anon_bytes;
  EXPECT_EQ(InChild([&] {
              const ProcessCounters before = probe.Sample(SampleLevel::kFull);
              if (before.hwm_is_per_iteration) return 2;
              const Pages pages(kBig);
              const ProcessCounters after = probe.Sample(SampleLevel::kFull);
              if (!after.rss_anon_bytes || !before.rss_anon_bytes || !after.mappings) return 3;
              return *after.rss_anon_bytes > *before.rss_anon_bytes + kBig - kSlackBytes ? 0 : 4;
            }),
            0);
  EXPECT_NEAR(Difference(probe.Sample(SampleLevel::kFull).rss_anon_bytes, parent), 0, kSlack);
}

TEST(ProcessProbe, WatchesAnotherProcessThroughExecAndDeath) {
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    const Pages pages(kBig);
    char byte = 1;
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(3);
    dup2(go[0], 0);
    // Its own descriptors, its own memory; ends when the pipe on standard input does.
    close(go[1]);
    execl("/bin/cat", "cat", nullptr);
    _exit(4);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ProcessProbe probe = ProcessProbe::ForPid(child);
  const ProcessCounters before = probe.Sample(SampleLevel::kFull);
  ASSERT_TRUE(before.rss_anon_bytes.has_value());
  EXPECT_GE(*before.rss_anon_bytes, kBig);
  EXPECT_GE(before.minor_faults.value_or(0), 32u);
  EXPECT_TRUE(before.mappings.has_value());
  EXPECT_TRUE(before.descriptors.has_value());
  EXPECT_EQ(before.malloc_in_use_bytes, std::nullopt);

  ASSERT_EQ(write(go[1], &byte, 1), 1);
  ProcessCounters after;
  // The new address space fills while it is looked at.
  const auto settled = [&] {
    return after.rss_anon_bytes.value_or(kBig) < kBig / 2 && after.mappings.value_or(0) > 3 &&
           (!before.pss_bytes || after.pss_bytes.value_or(0) > 0);
  };
  for (int i = 0; i < 2000 && !settled(); ++i) {
    usleep(5000);
    after = probe.Sample(SampleLevel::kFull);
  }
  ASSERT_TRUE(after.rss_anon_bytes.has_value());
  EXPECT_LT(*after.rss_anon_bytes, kBig / 2);
  EXPECT_GT(after.mappings.value_or(0), 3u) << "the maps of the address space before exec";
  if (before.pss_bytes) {
    EXPECT_GT(after.pss_bytes.value_or(0), 0u);
  }

  close(go[1]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const ProcessCounters gone = probe.Sample(SampleLevel::kFull);
  EXPECT_EQ(gone.rss_bytes, std::nullopt);
  EXPECT_EQ(gone.threads, std::nullopt);
  EXPECT_EQ(gone.minor_faults, std::nullopt);
  EXPECT_EQ(gone.descriptors, std::nullopt);
  EXPECT_EQ(gone.mappings, std::nullopt);
  EXPECT_EQ(gone.pss_bytes, std::nullopt);
  for (const int end : {ready[0], ready[1], go[0]}) close(end);
}

TEST(ProcessProbe, MallocFiguresAreOfGlibcsHeapOnly) {
  ProcessProbe probe = ProcessProbe::ForSelf();
  const ProcessCounters before = probe.Sample(SampleLevel::kFull);
  // Any function outside libc stands for another allocator's malloc.
  ProcessProbe other =
      ProcessProbe::ForSelf({.malloc_entry = reinterpret_cast<const void*>(&Difference)});
  EXPECT_EQ(other.Sample(SampleLevel::kFull).malloc_in_use_bytes, std::nullopt);
  if (!before.malloc_in_use_bytes) GTEST_SKIP() << "malloc here is not glibc's (2.33 or later)";

  std::vector<std::string> blocks;
  for (int i = 0; i < 1000; ++i) blocks.emplace_back(1000, 'x');
  const ProcessCounters held = probe.Sample(SampleLevel::kFull);
  EXPECT_GE(Difference(held.malloc_in_use_bytes, before.malloc_in_use_bytes), 1e6);
  EXPECT_GE(*held.malloc_mapped_bytes, *held.malloc_in_use_bytes);
  EXPECT_TRUE(held.malloc_free_bytes.has_value());
}

}  // namespace
}  // namespace plimsoll
