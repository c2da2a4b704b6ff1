// Random programs on random workspaces, held against a model that knows only the rules:
// which arrays are alive, what they contain, and what everything together costs.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<unsigned char>;

struct Made {
  Bytes array;
  uint64_t seed;
  size_t workspace;  // index; SIZE_MAX: detached
  uint64_t cycle;    // of that workspace when it was made
};

unsigned char ByteAt(uint64_t seed, size_t i) {
  return static_cast<unsigned char>((seed * 0x9E3779B97F4A7C15u + i * 131) >> 24);
}

class RandomProgram {
 public:
  explicit RandomProgram(uint64_t seed) : random_(seed) {
    WorkspaceOptions options;
    options.upstream = &upstream_;
    const size_t count = 1 + Below(4);
    for (size_t i = 0; i < count; ++i) {
      workspaces_.push_back(
          Must(Workspace::Create(RandomConfiguration(), "W" + std::to_string(i), options)));
      cycles_.push_back(0);
    }
  }

  void Run(uint64_t steps) {
    for (uint64_t step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      Step();
      if (step % 16 == 0) CheckAll();
    }
    CheckAll();
  }

 private:
  struct Scope {
    WorkspaceScope scope;
    size_t workspace;  // index
    bool borrowed;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  WorkspaceConfiguration RandomConfiguration() {
    while (true) {
      Builder builder;
      builder.InitialSize(Below(2) == 0 ? 0 : static_cast<int64_t>(Below(4096)))
          .MinSize(Below(3) == 0 ? 512 : 0)
          .OverallocationLimit(static_cast<double>(Below(4)))
          .Alignment(int64_t{8} << Below(5))
          .Allocation(Below(2) == 0 ? AllocationPolicy::kStrict : AllocationPolicy::kOverallocate)
          .Reset(Below(3) == 0 ? ResetPolicy::kEndOfBufferReached : ResetPolicy::kBlockLeft)
          .Spill(static_cast<SpillPolicy>(Below(3)))
          .Location(Below(5) == 0 ? LocationPolicy::kMmap : LocationPolicy::kRam);
      if (Below(3) == 0) {
        builder.Learning(LearningPolicy::kOverTime)
            .CyclesBeforeInitialization(static_cast<int64_t>(1 + Below(5)));
      }
      if (const Expected<WorkspaceConfiguration> built = builder.Build()) return *built;
    }
  }

  bool OpenInModel(size_t workspace) const {
    return std::any_of(scopes_.begin(), scopes_.end(),
                       [workspace](const Scope& scope) { return scope.workspace == workspace; });
  }

  void Step() {
    switch (Below(10)) {
      case 0:
      case 1: {
        const size_t i = Below(workspaces_.size());
        if (scopes_.size() >= 12) break;
        const bool first = !OpenInModel(i);
        scopes_.push_back({Must(workspaces_[i]->Enter()), i, false});
        if (first) ++cycles_[i];
        break;
      }
      case 2: {
        const size_t i = Below(workspaces_.size());
        const bool borrowed = std::any_of(scopes_.begin(), scopes_.end(), [i](const Scope& scope) {
          return scope.workspace == i && scope.borrowed;
        });
        Expected<WorkspaceScope> scope = workspaces_[i]->Borrow();
        ASSERT_EQ(scope.has_value(), OpenInModel(i) && !borrowed);
        if (scope) scopes_.push_back({std::move(*scope), i, true});
        break;
      }
      case 3:
      case 4:
        if (!scopes_.empty()) {
          // Mostly the innermost, sometimes any.
          const size_t which = Below(4) == 0 ? Below(scopes_.size()) : scopes_.size() - 1;
          scopes_.erase(scopes_.begin() + static_cast<ptrdiff_t>(which));
        }
        break;
      case 5:
        if (!made_.empty()) {
          const size_t i = Below(made_.size());
          std::swap(made_[i], made_.back());
          made_.pop_back();
        }
        break;
      case 6:
        if (!made_.empty()) Move(made_[Below(made_.size())]);
        break;
      default:
        Make();
    }
    ASSERT_EQ(CurrentWorkspace(),
              scopes_.empty() ? nullptr : workspaces_[scopes_.back().workspace].get());
  }

  void Make() {
    if (made_.size() > 200) return;
    const size_t bytes = 1 + (Below(8) == 0 ? Below(8192) : Below(300));
    const Expected<Bytes> array = Bytes::Create(bytes);
    const size_t at = scopes_.empty() ? SIZE_MAX : scopes_.back().workspace;
    if (!array) {
      ASSERT_NE(at, SIZE_MAX);
      ASSERT_EQ(workspaces_[at]->configuration().spill(), SpillPolicy::kFail)
          << array.error().message;
      return;
    }
    Keep(*array, at, random_());
  }

  void Keep(const Bytes& array, size_t at, uint64_t seed) {
    const std::span<unsigned char> values = array.unchecked();
    for (size_t i = 0; i < values.size(); ++i) values[i] = ByteAt(seed, i);
    made_.push_back({array, seed, at, at == SIZE_MAX ? 0 : cycles_[at]});
  }

  void Move(const Made made) {
    const bool alive = made.array.CheckAlive().has_value();
    const Expected<Bytes> moved = Below(2) == 0 ? made.array.Detach() : made.array.Migrate(true);
    if (!moved) {
      const bool full = moved.error().message.find("full") != std::string::npos;
      ASSERT_TRUE(!alive || full) << moved.error().message;
      return;
    }
    ASSERT_TRUE(alive);
    ExpectContents(*moved, made.seed);
    if (moved->unchecked().data() != made.array.unchecked().data()) {
      const size_t at = moved->attached() ? scopes_.back().workspace : SIZE_MAX;
      made_.push_back({*moved, made.seed, at, at == SIZE_MAX ? 0 : cycles_[at]});
    }
  }

  static void ExpectContents(const Bytes& array, uint64_t seed) {
    const std::span<unsigned char> values = array.unchecked();
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], ByteAt(seed, i));
  }

  void CheckAll() {
    for (const Made& made : made_) {
      const bool alive = made.array.CheckAlive().has_value();
      if (made.workspace == SIZE_MAX) {
        ASSERT_TRUE(alive);
      } else if (!workspaces_[made.workspace]->configuration().circular()) {
        ASSERT_EQ(alive, OpenInModel(made.workspace) && made.cycle == cycles_[made.workspace]);
      } else if (made.cycle == cycles_[made.workspace]) {
        ASSERT_TRUE(alive) << "a cycle's own arrays are there until the next begins";
      }
      // Whatever is said to be alive has its contents, circular workspaces included.
      if (alive) ExpectContents(made.array, made.seed);
    }
    uint64_t expected = 0;
    for (const auto& workspace : workspaces_) {
      const WorkspaceStatistics s = workspace->Statistics();
      const bool mapped = workspace->configuration().location() == LocationPolicy::kMmap;
      expected += (mapped ? 0 : s.current_size) + s.spilled + s.pinned;
      ASSERT_LE(s.offset, s.current_size);
      ASSERT_TRUE(workspace->open() || workspace->configuration().circular() || s.spilled == 0);
    }
    ASSERT_EQ(upstream_.live_bytes(), expected);
  }

  std::mt19937_64 random_;
  CountingResource upstream_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;
  std::vector<uint64_t> cycles_;
  std::vector<Made> made_;
  std::vector<Scope> scopes_;
};

TEST(WorkspaceRandomTest, RandomProgramsKeepTheRules) {
  const uint64_t programs = std::max<uint64_t>(20, Scaled(400));
  for (uint64_t seed = 1; seed <= programs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomProgram program(seed);
    program.Run(600);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace plimsoll
