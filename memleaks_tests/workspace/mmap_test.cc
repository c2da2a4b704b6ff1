// Workspaces in a mapped file, larger than the line on the process's anonymous memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "base/units.h"
#include "harness/leak_test.h"

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

constexpr uint64_t kLine = 48_MiB;
constexpr uint64_t kWorkspace = 4 * kLine;
constexpr uint64_t kArray = 4_MiB;
constexpr uint64_t kPage = 4096;

// A cycle that stores into every page of arrays that fill the workspace, and reads all
// of it again.
class LargeCycle {
 public:
  explicit LargeCycle(LocationPolicy location)
      : workspace_(MakeWorkspace(Builder()
                                     .InitialSize(static_cast<int64_t>(kWorkspace))
                                     .Allocation(AllocationPolicy::kStrict)
                                     .Learning(LearningPolicy::kNone)
                                     .Spill(SpillPolicy::kFail)
                                     .Location(location))) {}

  void Run() {
    ++cycle_;
    const WorkspaceScope scope = Must(workspace_->Enter());
    std::vector<Bytes> arrays;
    for (uint64_t i = 0; i < kWorkspace / kArray; ++i) {
      arrays.push_back(Must(Bytes::Create(kArray)));
      const std::span<char> bytes = arrays.back().unchecked();
      for (size_t at = 0; at < bytes.size(); at += kPage) bytes[at] = ByteOf(i);
    }
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < arrays.size(); ++i) {
      const std::span<char> bytes = Must(arrays[i].values());
      for (size_t at = 0; at < bytes.size(); at += kPage) wrong += bytes[at] != ByteOf(i);
    }
    if (wrong > 0) throw std::runtime_error(std::to_string(wrong) + " pages are wrong");
  }

 private:
  char ByteOf(uint64_t array) const { return static_cast<char>(cycle_ + array); }

  const std::unique_ptr<Workspace> workspace_;
  uint64_t cycle_ = 0;
};

LeakTestOptions BelowTheLine() {
  LeakTestOptions options;
  options.lines.push_back({"peak_rss_anon_bytes", static_cast<double>(kLine), "test"});
  options.lines.push_back({"descriptors_gained", 0, "test"});
  return options;
}

class MmapWorkspace : public testing::Test {
 protected:
  void SetUp() override { cycle_ = std::make_unique<LargeCycle>(LocationPolicy::kMmap); }
  std::unique_ptr<LargeCycle> cycle_;
};

LEAK_TEST_F_WITH(MmapWorkspace, FourTimesTheLineStaysBelowIt, BelowTheLine()) { cycle_->Run(); }

// A workspace for each iteration: its file and its pages go with it.
LEAK_TEST_WITH(MmapWorkspaces, OneForEachIteration, BelowTheLine()) {
  const auto workspace = MakeWorkspace(Builder()
                                           .InitialSize(static_cast<int64_t>(kArray))
                                           .Allocation(AllocationPolicy::kStrict)
                                           .Location(LocationPolicy::kMmap));
  const WorkspaceScope scope = Must(workspace->Enter());
  const Bytes array = Must(Bytes::Create(kArray));
  for (size_t at = 0; at < array.size(); at += kPage) array.unchecked()[at] = 1;
}

// The control: in RAM the same loop does not leak either, and is over the line.
TEST(MmapWorkspaceControl, TheSameInRamIsOverTheLine) {
  LargeCycle cycle(LocationPolicy::kRam);
  CaseResult result = Iterate([&cycle] { cycle.Run(); });
  EXPECT_THAT(result, HoldsSteady());
  HoldLines(result, BelowTheLine().lines);
  EXPECT_EQ(result.verdict, Verdict::kOver) << result.reason;
}

}  // namespace
}  // namespace plimsoll
