// What a call costs in DeepRec, what it may mistake, and what it tells. Each test runs one
// check on the arena, which has to hold it, and on DeepRec's rule or a stand-in for what
// it does, which is shown not to.

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "allocators/planner_arena/arena_sites.h"
#include "allocators/planner_arena/baselines/arena_step_memory.h"
#include "allocators/planner_arena/baselines/deeprec_baseline.h"
#include "allocators/planner_arena/baselines/step_script.h"

namespace {
thread_local int64_t t_locks = 0;
}  // namespace

// The linker puts this in the place of pthread_mutex_lock (see BUILD.bazel).
extern "C" int __real_pthread_mutex_lock(pthread_mutex_t* mutex);
extern "C" int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  ++t_locks;
  return __real_pthread_mutex_lock(mutex);
}

namespace plimsoll {
namespace {

StepScript ManyBlocks(int blocks) {
  StepScript script;
  for (int i = 0; i < blocks; ++i) {
    script.push_back({i, 40 * kKiB});
    if (i >= 4) script.push_back({i - 4, 0});
  }
  for (int i = blocks - 4; i < blocks; ++i) script.push_back({i, 0});
  return script;
}

// Weakness 13: every call takes a lock, one for all threads and blocks of a size.
TEST(DeepRecWeakness13, OneLockPerBinOnEveryCall) {
  // In one steady step of `blocks` requests and as many frees.
  const auto locks_of_step = [](StepMemory& memory, int blocks) {
    const StepScript script = ManyBlocks(blocks);
    Play(memory, script, kQuickSteps);
    memory.BeginStep();
    const int64_t before = t_locks;
    PlayBody(memory, script);
    const int64_t locks = t_locks - before;
    memory.EndStep();
    return locks;
  };
  // To enter the step, and once in 64 requests to see what other threads hold.
  ArenaStepMemory few(QuickControls());
  EXPECT_LE(locks_of_step(few, 10), 3);
  ArenaStepMemory many(QuickControls());
  EXPECT_LE(locks_of_step(many, 1000), 3 + 1000 / 64);
  EXPECT_GE(many.Stats().hits, 1000);

  DeepRecBaseline deeprec(QuickControls());
  Play(deeprec, ManyBlocks(1000), kQuickSteps);
  const int64_t before = deeprec.locks();
  Play(deeprec, ManyBlocks(1000));
  EXPECT_EQ(deeprec.locks() - before, 2000);
}

// The counting itself: a lock of this program's is seen.
TEST(DeepRecWeakness13, LocksAreCounted) {
  std::mutex mutex;
  const int64_t before = t_locks;
  { const std::lock_guard<std::mutex> lock(mutex); }
  EXPECT_EQ(t_locks, before + 1);
}

// Gives out blocks with `before` in the word in front of each, and checks that they come
// back with the size and alignment they were asked for with.
class StrictUpstream : public std::pmr::memory_resource {
 public:
  explicit StrictUpstream(uint64_t before) : before_(before) {}
  int wrong = 0;
  size_t live() const { return blocks_.size(); }

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override {
    auto* const raw = static_cast<std::byte*>(
        std::pmr::new_delete_resource()->allocate(bytes + alignment, alignment));
    std::byte* const block = raw + alignment;
    std::memcpy(block - sizeof(before_), &before_, sizeof(before_));
    blocks_[block] = {bytes, alignment};
    return block;
  }
  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    const auto it = blocks_.find(block);
    if (it == blocks_.end() || it->second != std::pair(bytes, alignment)) {
      ++wrong;
      return;
    }
    blocks_.erase(it);
    std::pmr::new_delete_resource()->deallocate(static_cast<std::byte*>(block) - alignment,
                                                bytes + alignment, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

 private:
  const uint64_t before_;
  std::map<void*, std::pair<size_t, size_t>> blocks_;
};

// Weakness 14: the word before a block says whether it is a small one, and a large one
// has its size there.
TEST(DeepRecWeakness14, HeadersAreGuessed) {
  constexpr size_t kMagic = DeepRecBaseline::kSmallMagic;
  const std::vector<size_t> sizes = {kMagic - 64, kMagic - 1, kMagic, kMagic + 1, kMagic + 64};
  StrictUpstream upstream(kMagic);
  {
    ArenaStepMemory arena(QuickControls(), &upstream);
    for (int i = 0; i < 2 * kQuickSteps; ++i) {  // from upstream first, and then planned
      arena.BeginStep();
      std::vector<uint64_t*> blocks;
      for (size_t size : sizes) {
        blocks.push_back(static_cast<uint64_t*>(arena.allocate(size, 64)));
        // Whatever a neighbour writes up to its end.
        for (size_t at = 0; at < size / sizeof(uint64_t); ++at) blocks.back()[at] = kMagic;
      }
      for (uint64_t* block : blocks) arena.arena().Free(block);
      arena.EndStep();
    }
    EXPECT_EQ(arena.arena().Stats().allocator.bytes_in_use, 0);
    EXPECT_GT(arena.Stats().hits, 0);
    EXPECT_EQ(upstream.live(), 0u);
  }
  EXPECT_EQ(upstream.wrong, 0);
  for (size_t size : sizes) {
    DeepRecBaseline deeprec(QuickControls());
    Play(deeprec, {{1, size}, {1}});
    EXPECT_EQ(deeprec.misjudged_frees(), size == kMagic ? 1 : 0) << size;
  }
}

// What the process does on each signal: the handlers' addresses.
std::vector<uintptr_t> Dispositions() {
  std::vector<uintptr_t> handlers;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) != 0) continue;
    handlers.push_back(reinterpret_cast<uintptr_t>(action.sa_handler));
  }
  return handlers;
}

// Weakness 15: the dump is made in a signal handler, where it may deadlock. The arena
// installs none; a program asks for a snapshot when it can have one.
TEST(DeepRecWeakness15, SignalHandlerIsNotSafe) {
  const std::vector<uintptr_t> before = Dispositions();
  {
    ArenaStepMemory arena(QuickControls());
    Play(arena, ManyBlocks(10), kQuickSteps);
    EXPECT_NE(arena.arena().SnapshotJson(), "");
    EXPECT_EQ(Dispositions(), before);
  }
  EXPECT_EQ(Dispositions(), before);
  // The check sees a handler that is there.
  struct sigaction old;
  struct sigaction handler;
  std::memset(&handler, 0, sizeof(handler));
  handler.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGUSR1, &handler, &old), 0);
  EXPECT_NE(Dispositions(), before);
  ASSERT_EQ(sigaction(SIGUSR1, &old, nullptr), 0);
}

class LimitedUpstream : public std::pmr::memory_resource {
 public:
  explicit LimitedUpstream(size_t bytes) : left_(bytes) {}

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override {
    if (bytes > left_) throw std::bad_alloc();
    left_ -= bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    left_ += bytes;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

 private:
  size_t left_;
};

// Weakness 16: nothing says who holds what, least of all when it runs out.
TEST(DeepRecWeakness16, NoAccountingAndNoReportOfOutOfMemory) {
  const auto report = [](StepMemory& memory) {
    std::string what;
    void* weights = nullptr;
    void* cache = nullptr;
    {
      const SiteScope site("weights");
      weights = memory.allocate(3 * kMiB, 64);
    }
    {
      const SiteScope site("cache");
      cache = memory.allocate(5 * kMiB, 64);
    }
    try {
      const SiteScope site("attention");
      memory.deallocate(memory.allocate(4 * kMiB, 64), 4 * kMiB, 64);
    } catch (const std::bad_alloc& error) {
      what = error.what();
    }
    memory.deallocate(weights, 3 * kMiB, 64);
    memory.deallocate(cache, 5 * kMiB, 64);
    return what;
  };
  LimitedUpstream limited(10 * kMiB);
  ArenaStepMemory arena(QuickControls(), &limited);
  const std::string arena_report = report(arena);
  EXPECT_NE(arena_report.find("attention asked for 4.00 MiB"), std::string::npos) << arena_report;
  const size_t most = arena_report.find("5.00 MiB live of cache");
  EXPECT_NE(most, std::string::npos) << arena_report;
  EXPECT_LT(most, arena_report.find("3.00 MiB live of weights")) << arena_report;
  DeepRecBaseline deeprec(QuickControls(), &limited);
  const std::string deeprec_report = report(deeprec);
  EXPECT_NE(deeprec_report, "");
  for (const char* told : {"attention", "MiB", "cache", "weights"}) {
    EXPECT_EQ(deeprec_report.find(told), std::string::npos) << deeprec_report;
  }
}

}  // namespace
}  // namespace plimsoll
