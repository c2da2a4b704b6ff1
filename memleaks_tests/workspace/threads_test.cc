// Workspaces and threads: twenty that work side by side, threads that come and go, and
// exceptions that end scopes. No growth: the ledger's verdict is CLEAN.

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "allocators/memory_limit/memory_limit.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"
#include "harness/leak_test.h"
#include "memleaks_tests/workspace/training_loop.h"

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

WorkspaceConfiguration Learns() { return Must(Builder().Spill(SpillPolicy::kReallocate).Build()); }

LeakTestOptions WithoutNewThreads() {
  LeakTestOptions options;
  options.lines.push_back({"threads_gained", 0, "test"});
  return options;
}

// Twenty threads that live as long as the case. An iteration is a number of cycles of each.
class TwentyThreads : public testing::Test {
 public:
  static constexpr int kThreads = 20;
  // No verdict falls before 128 iterations were judged (Rule::first_look), after a warm-up
  // of 8: 10⁵ cycles of each thread and more.
  static constexpr uint64_t kLeastIterations = 136;
  const uint64_t kCycles = Scaled(100'000) / kLeastIterations + 1;

 protected:
  void SetUp() override {
    limit_ = Must(MemoryLimit::Create({64_MiB, 0}));
    WorkspaceManagerOptions options;
    options.limit = limit_.get();
    manager_ = std::make_unique<WorkspaceManager>(options);
    for (uint64_t t = 1; t <= kThreads; ++t) {
      threads_.emplace_back([this, t] { Work(t); });
    }
  }

  void TearDown() override {
    stopping_ = true;
    go_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
    EXPECT_EQ(limit_->in_use(), 0u) << "a thread's workspaces go with it";
    EXPECT_GE(cycles_, kThreads * Scaled(100'000));
  }

  void RunCycles() {
    go_.arrive_and_wait();
    done_.arrive_and_wait();
    if (!error_.empty()) throw std::runtime_error(error_);
  }

 private:
  void Work(uint64_t number) {
    TrainingLoop loop(*manager_, Learns(), number);
    while (true) {
      go_.arrive_and_wait();
      if (stopping_) return;
      try {
        for (uint64_t cycle = 0; cycle < kCycles; ++cycle) loop.Evaluate();
        cycles_ += kCycles;
      } catch (const std::exception& error) {
        if (!failed_.exchange(true)) error_ = error.what();
      }
      done_.arrive_and_wait();
    }
  }

  std::unique_ptr<MemoryLimit> limit_;
  std::unique_ptr<WorkspaceManager> manager_;
  std::barrier<> go_{kThreads + 1};
  std::barrier<> done_{kThreads + 1};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> cycles_{0};
  std::string error_;  // written once, read after done_
  std::vector<std::thread> threads_;
};

LEAK_TEST_F_WITH(TwentyThreads, AHundredThousandVerifiedCyclesEach, WithoutNewThreads()) {
  RunCycles();
}

// New threads in every iteration. One of four ends with a scope open, which is closed and
// counted when its workspaces are released.
class ThreadChurn : public testing::Test {
 protected:
  void Churn() {
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (uint64_t t = 1; t <= 4; ++t) {
      threads.emplace_back([this, t, &failures] {
        try {
          TrainingLoop loop(manager_, Learns(), t);
          for (int i = 0; i < 3; ++i) loop.Train();
          if (t == 4) {
            Must(Must(manager_.Get(Learns(), "LEFT_OPEN"))->Open());
            Must(Bytes::Create(1000));
          }
        } catch (const std::exception&) {
          ++failures;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ++iterations_;
    ASSERT_EQ(failures, 0);
    ASSERT_EQ(manager_.threads(), 0u);
    ASSERT_EQ(manager_.abandoned(), iterations_);
  }

  WorkspaceManager manager_;
  uint64_t iterations_ = 0;
};

LEAK_TEST_F_WITH(ThreadChurn, ThreadsComeAndGo, WithoutNewThreads()) { Churn(); }

// A step that fails with every kind of scope open.
class Exceptions : public testing::Test {
 protected:
  void FailingStep() {
    const WorkspaceScope epoch = Must(manager_.Enter(fails_, "EPOCH"));
    const WorkspaceScope step = Must(manager_.Enter(learns_, "STEP"));
    const WorkspaceScope borrowed = Must(Must(manager_.Get("EPOCH"))->Borrow());
    const Bytes spilled = Must(Bytes::Create(512));
    const OutsideScope outside;
    const Bytes detached = Must(Bytes::Create(512));
    const WorkspaceScope again = Must(manager_.Enter("STEP"));
    const SwitchedOff off(*CurrentWorkspace());
    std::pmr::vector<char> block(512, 'x', CurrentWorkspace());
    std::pmr::vector<char> too_large(Must(manager_.Get("EPOCH")));
    too_large.resize(1 << 20);
  }

  WorkspaceManager manager_;
  const WorkspaceConfiguration learns_ = Learns();
  const WorkspaceConfiguration fails_ = Must(Builder()
                                                 .InitialSize(4096)
                                                 .Allocation(AllocationPolicy::kStrict)
                                                 .Spill(SpillPolicy::kFail)
                                                 .Build());
};

LEAK_TEST_F(Exceptions, InsideNestedScopes) {
  EXPECT_THROW(FailingStep(), std::bad_alloc);
  ASSERT_EQ(CurrentWorkspace(), nullptr);
  ASSERT_EQ(ThreadScopes::Here().depth(), 0u);
  ASSERT_EQ(Must(manager_.Get("STEP"))->Stats().bytes_in_use, 0);
}

}  // namespace
}  // namespace plimsoll
