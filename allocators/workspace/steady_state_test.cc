// A workspace that has learned asks nobody for anything: no allocation, no page fault.

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

constexpr size_t kArrays = 500;

int64_t FaultsOfThisThread() {
  rusage usage = {};
  EXPECT_EQ(::getrusage(RUSAGE_THREAD, &usage), 0);
  return usage.ru_minflt + usage.ru_majflt;
}

// A cycle of 500 arrays, some 16 MiB, every page touched.
void Cycle(Workspace& workspace) {
  const WorkspaceScope scope = Must(workspace.Enter());
  for (size_t i = 0; i < kArrays; ++i) {
    const Bytes array = Must(Bytes::Create(1000 + i * i % 65536));
    ASSERT_TRUE(array.attached());
    const std::span<char> bytes = array.unchecked();
    for (size_t at = 0; at < bytes.size(); at += 1024) bytes[at] = static_cast<char>(i);
  }
}

class SteadyState : public ::testing::TestWithParam<ResetPolicy> {
 protected:
  void SetUp() override {
    WorkspaceOptions options;
    options.upstream = &upstream_;
    const bool circular = GetParam() == ResetPolicy::kEndOfBufferReached;
    workspace_ = MakeWorkspace(
        Builder().Reset(GetParam()).OverallocationLimit(circular ? 2.0 : 0.3), "WS", options);
    for (int i = 0; i < 16; ++i) Cycle(*workspace_);
  }

  CountingResource upstream_;
  std::unique_ptr<Workspace> workspace_;
};

TEST_P(SteadyState, NothingIsAllocated) {
  const uint64_t before = upstream_.calls();
  for (int i = 0; i < 100; ++i) Cycle(*workspace_);
  EXPECT_EQ(upstream_.calls(), before);
  EXPECT_EQ(workspace_->Statistics().spilled + workspace_->Statistics().pinned, 0u);
}

TEST_P(SteadyState, NoPageFaultIsTaken) {
#if defined(PLIMSOLL_ASAN) || defined(PLIMSOLL_TSAN)
  GTEST_SKIP() << "the shadow and the quarantine of the sanitizer take faults of their own";
#endif
  // The kernel may take a page away now and then; it does not in every window.
  int64_t fewest = std::numeric_limits<int64_t>::max();
  for (int window = 0; window < 5; ++window) {
    const int64_t before = FaultsOfThisThread();
    for (int i = 0; i < 20; ++i) Cycle(*workspace_);
    fewest = std::min(fewest, FaultsOfThisThread() - before);
  }
  EXPECT_EQ(fewest, 0);
}

INSTANTIATE_TEST_SUITE_P(EachReset, SteadyState,
                         ::testing::Values(ResetPolicy::kBlockLeft,
                                           ResetPolicy::kEndOfBufferReached),
                         [](const auto& test) {
                           return test.param == ResetPolicy::kBlockLeft ? "BlockLeft" : "Circular";
                         });

}  // namespace
}  // namespace plimsoll
