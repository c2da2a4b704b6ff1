// Cyclic training and evaluation loops on workspaces in every policy: learning × spill ×
// reset × location. Every combination that can be built is CLEAN, and does what its
// policy says.

#include <gtest/gtest.h>

#include <cctype>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocators/workspace/configuration.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/test_support.h"
#include "harness/leak_test.h"
#include "memleaks_tests/workspace/training_loop.h"

namespace plimsoll {
namespace {

constexpr int64_t kRoomForAll = 256 << 10;
// Room for the ordinary batches, not for the large one.
constexpr int64_t kRoomForMost = 5 << 10;

struct Policies {
  std::string name;
  WorkspaceConfiguration configuration;
};

const char* Name(LearningPolicy policy) {
  return policy == LearningPolicy::kNone        ? "None"
         : policy == LearningPolicy::kFirstLoop ? "FirstLoop"
                                                : "OverTime";
}
const char* Name(SpillPolicy policy) {
  return policy == SpillPolicy::kExternal     ? "External"
         : policy == SpillPolicy::kReallocate ? "Reallocate"
                                              : "Fail";
}
const char* Name(ResetPolicy policy) {
  return policy == ResetPolicy::kBlockLeft ? "BlockLeft" : "Circular";
}
const char* Name(LocationPolicy policy) { return policy == LocationPolicy::kRam ? "Ram" : "Mmap"; }

// The combination with whatever initial size it accepts: none, then a small one. FAIL
// gets room for all.
std::optional<WorkspaceConfiguration> Combination(LearningPolicy learning, SpillPolicy spill,
                                                  ResetPolicy reset, LocationPolicy location) {
  for (const int64_t initial : {int64_t{0}, kRoomForMost}) {
    const bool fails = spill == SpillPolicy::kFail;
    const auto built =
        WorkspaceConfigurationBuilder()
            .InitialSize(fails && initial > 0 ? kRoomForAll : initial)
            .Allocation(initial > 0 ? AllocationPolicy::kStrict : AllocationPolicy::kOverallocate)
            .OverallocationLimit(reset == ResetPolicy::kBlockLeft ? 0.3 : 2.0)
            .Learning(learning)
            .CyclesBeforeInitialization(learning == LearningPolicy::kOverTime ? 3 : 0)
            .Reset(reset)
            .Spill(spill)
            .Location(location)
            .Build();
    if (built) return *built;
  }
  return std::nullopt;
}

std::vector<Policies> SupportedPolicies() {
  std::vector<Policies> all;
  for (const auto learning :
       {LearningPolicy::kNone, LearningPolicy::kFirstLoop, LearningPolicy::kOverTime}) {
    for (const auto spill :
         {SpillPolicy::kExternal, SpillPolicy::kReallocate, SpillPolicy::kFail}) {
      for (const auto reset : {ResetPolicy::kBlockLeft, ResetPolicy::kEndOfBufferReached}) {
        for (const auto location : {LocationPolicy::kRam, LocationPolicy::kMmap}) {
          const auto built = Combination(learning, spill, reset, location);
          if (!built) continue;
          all.push_back(
              {std::string(Name(learning)) + Name(spill) + Name(reset) + Name(location), *built});
        }
      }
    }
  }
  return all;
}

// What a policy promises, once the first rounds of batches are over.
void ExpectPolicyKept(const WorkspaceConfiguration& configuration, const TrainingLoop& loop,
                      uint64_t apart_ever) {
  if (loop.iterations() < 4 * TrainingLoop::kBatches) return;
  switch (configuration.spill()) {
    case SpillPolicy::kFail:
      EXPECT_EQ(apart_ever, 0u) << "FAIL never allocates apart";
      break;
    case SpillPolicy::kReallocate:
      if (configuration.circular()) break;  // its pins and spills last for some laps
      EXPECT_EQ(loop.apart_bytes(), 0u) << "REALLOCATE has grown to the largest batch";
      break;
    case SpillPolicy::kExternal:
      EXPECT_GT(apart_ever, 0u) << "EXTERNAL never grows, and the large batch does not fit";
      break;
  }
}

class LoopTest : public testing::Test, public internal::LeakTestBody {
 public:
  LoopTest(const WorkspaceConfiguration& configuration, void (TrainingLoop::*iteration)())
      : configuration_(configuration), loop_(manager_, configuration), iteration_(iteration) {}

  void TestBody() override { internal::RunIterations(*this); }

  void Iteration() override {
    (loop_.*iteration_)();
    apart_ever_ = std::max(apart_ever_, loop_.apart_bytes());
    ExpectPolicyKept(configuration_, loop_, apart_ever_);
  }

 private:
  WorkspaceManager manager_;
  const WorkspaceConfiguration configuration_;
  TrainingLoop loop_;
  void (TrainingLoop::*const iteration_)();
  uint64_t apart_ever_ = 0;
};

LeakTestOptions Options() {
  LeakTestOptions options;
  options.Warmup(4 * TrainingLoop::kBatches);
  for (const char* gained : {"descriptors_gained", "threads_gained"}) {
    options.lines.push_back({gained, 0, "test"});
  }
  return options;
}

const size_t registered = [] {
  const std::vector<Policies> all = SupportedPolicies();
  for (const Policies& policies : all) {
    for (const bool train : {true, false}) {
      internal::RegisterLeakTest(
          train ? "TrainingOnWorkspaces" : "EvaluationOnWorkspaces", policies.name.c_str(),
          __FILE__, __LINE__, Options(), [policies, train]() -> testing::Test* {
            return new LoopTest(policies.configuration,
                                train ? &TrainingLoop::Train : &TrainingLoop::Evaluate);
          });
    }
  }
  return all.size();
}();

// 36 combinations; configuration_test.cc has the reasons for those that are refused.
TEST(WorkspacePolicies, EveryCombinationThatCanBeBuiltIsHere) { EXPECT_EQ(registered, 20u); }

}  // namespace
}  // namespace plimsoll
