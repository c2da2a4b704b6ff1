#include "memleaks_tests/workspace/patterns.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allocators/workspace/deallocator_queue.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/typed_array.h"
#include "allocators/workspace/workspace.h"

namespace plimsoll {

// The sites stand outside an unnamed namespace, so that a stack shows plain names.
namespace workspace_patterns {

using Builder = WorkspaceConfigurationBuilder;
using Bytes = TypedArray<char>;

constexpr int64_t kWorkspaceBytes = 4096;
constexpr size_t kArrayBytes = 1024;
constexpr size_t kMostKept = 1 << 16;

Builder Fixed() {
  return Builder().InitialSize(kWorkspaceBytes).Allocation(AllocationPolicy::kStrict);
}

Bytes MakeArray(size_t bytes = kArrayBytes) {
  Bytes array = Must(Bytes::Create(bytes));
  std::fill(array.unchecked().begin(), array.unchecked().end(), 'x');
  return array;
}

std::string PathInTemporaryFolder(uint64_t ordinal) {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder == nullptr ? "/tmp" : folder) + "/plimsoll-workspace-" +
         std::to_string(::getpid()) + "-" + std::to_string(ordinal);
}

// ---- planted ----

// Opened by hand in every iteration and never closed: nothing is reset, and once the
// workspace is full every array spills.
struct ScopeNeverClosed : PatternRun {
  PLIMSOLL_SITE void OpenEpoch() {
    Must(workspace->Open());
    MakeArray();
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { OpenEpoch(); }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
};

// The loss of every iteration is copied out of its scope and kept.
struct ArrayLeakedOut : PatternRun {
  PLIMSOLL_SITE void RememberLoss(const Bytes& loss) {
    losses.push_back(Must(loss.Detach()));
    PLIMSOLL_SITE_END();
  }
  ArrayLeakedOut() { losses.reserve(kMostKept); }
  void Iterate() override {
    const WorkspaceScope scope = Must(workspace->Enter());
    RememberLoss(MakeArray());
  }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
  std::vector<Bytes> losses;
};

// std::pmr code allocates while the workspace is switched off, and takes for granted that
// the end of the scope frees that, too.
struct SwitchedOffBlockKept : PatternRun {
  PLIMSOLL_SITE void AllocateWhileOff() {
    const SwitchedOff off(*workspace);
    static_cast<void>(workspace->allocate(kArrayBytes));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const WorkspaceScope scope = Must(workspace->Enter());
    AllocateWhileOff();
  }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
};

// A scope around the whole loop: the loop's own only nests in it, and what spilled in an
// iteration stays until the end of all of them.
struct SpillNeverReset : PatternRun {
  PLIMSOLL_SITE void SpillActivations() {
    const WorkspaceScope scope = Must(workspace->Enter());
    MakeArray(kWorkspaceBytes);
    PLIMSOLL_SITE_END();
  }
  SpillNeverReset() { around_the_loop = Must(workspace->Enter()); }
  void Iterate() override { SpillActivations(); }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
  std::optional<WorkspaceScope> around_the_loop;
};

// A workspace on a file of its own in every iteration; the file stays behind (ND4J
// #4833: 80 GB of them). The end of the pattern removes them.
struct TemporaryFileLeft : PatternRun {
  PLIMSOLL_SITE void MapScratchFile() {
    paths.push_back(PathInTemporaryFolder(paths.size()));
    const auto workspace =
        MakeWorkspace(Fixed().Location(LocationPolicy::kMmap).MmapPath(paths.back()));
    const WorkspaceScope scope = Must(workspace->Enter());
    MakeArray();
    PLIMSOLL_SITE_END();
  }
  TemporaryFileLeft() { paths.reserve(kMostKept); }
  void Iterate() override { MapScratchFile(); }
  ~TemporaryFileLeft() override {
    for (const std::string& path : paths) ::unlink(path.c_str());
  }
  std::vector<std::string> paths;
};

// A mapped workspace for every checkpoint, none of which is let go of.
struct MappedWorkspaceKept : PatternRun {
  PLIMSOLL_SITE void OpenCheckpoint() {
    checkpoints.push_back(MakeWorkspace(Fixed().Location(LocationPolicy::kMmap)));
    PLIMSOLL_SITE_END();
  }
  MappedWorkspaceKept() { checkpoints.reserve(kMostKept); }
  void Iterate() override { OpenCheckpoint(); }
  std::vector<std::unique_ptr<Workspace>> checkpoints;
};

// Detached arrays whose last handle goes, and a collector that never runs.
struct NeverCollected : PatternRun {
  PLIMSOLL_SITE void DropGradient() {
    const std::pmr::vector<char> gradient(kArrayBytes, 'x', &queue);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { DropGradient(); }
  DeallocatorQueue queue{{.background = false}};
};

// ---- innocent ----

struct ScopeClosed : PatternRun {
  PLIMSOLL_SITE void OpenAndCloseEpoch() {
    Must(workspace->Open());
    for (int i = 0; i < 8; ++i) MakeArray();
    Must(workspace->Close());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { OpenAndCloseEpoch(); }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
};

struct ArrayDetachedAndDropped : PatternRun {
  PLIMSOLL_SITE void ReplaceLoss(const Bytes& loss) {
    last = Must(loss.Detach());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const WorkspaceScope scope = Must(workspace->Enter());
    ReplaceLoss(MakeArray());
  }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
  std::optional<Bytes> last;
};

struct SwitchedOffBlockFreed : PatternRun {
  PLIMSOLL_SITE void AllocateAndFreeWhileOff() {
    const SwitchedOff off(*workspace);
    const std::pmr::vector<char> block(kArrayBytes, 'x', workspace.get());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const WorkspaceScope scope = Must(workspace->Enter());
    AllocateAndFreeWhileOff();
  }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
};

struct SpillReset : PatternRun {
  PLIMSOLL_SITE void SpillAndReset() {
    const WorkspaceScope scope = Must(workspace->Enter());
    MakeArray(kWorkspaceBytes);
    MakeArray(kWorkspaceBytes);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { SpillAndReset(); }
  const std::unique_ptr<Workspace> workspace = MakeWorkspace(Fixed());
};

struct TemporaryFileRemoved : PatternRun {
  PLIMSOLL_SITE void MapAndRemoveFile() {
    const std::string path = PathInTemporaryFolder(0);
    {
      const auto workspace = MakeWorkspace(Fixed().Location(LocationPolicy::kMmap).MmapPath(path));
      const WorkspaceScope scope = Must(workspace->Enter());
      MakeArray();
    }
    ::unlink(path.c_str());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MapAndRemoveFile(); }
};

struct MappedWorkspaceReplaced : PatternRun {
  PLIMSOLL_SITE void ReplaceCheckpoint() {
    checkpoint = MakeWorkspace(Fixed().Location(LocationPolicy::kMmap));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ReplaceCheckpoint(); }
  std::unique_ptr<Workspace> checkpoint;
};

struct CollectedNowAndThen : PatternRun {
  PLIMSOLL_SITE void DropAndCollect() {
    const std::pmr::vector<char> gradient(kArrayBytes, 'x', &queue);
    if (++iteration % 5 == 0) queue.Collect();
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { DropAndCollect(); }
  uint64_t iteration = 0;
  DeallocatorQueue queue{{.background = false}};
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;
constexpr ResourceKind kMapping = ResourceKind::kMapping;
constexpr ResourceKind kTempFile = ResourceKind::kTempFile;

constexpr Pattern kPatterns[] = {
    {"scope_never_closed", false, kHeap, kArrayBytes, 1, "OpenEpoch", "a scope never closed",
     MakeRun<ScopeNeverClosed>},
    {"array_leaked_out", false, kHeap, kArrayBytes, 1, "RememberLoss",
     "an array leaked out of its scope", MakeRun<ArrayLeakedOut>},
    {"switched_off_block_kept", false, kHeap, kArrayBytes, 1, "AllocateWhileOff",
     "a block from a switched-off workspace", MakeRun<SwitchedOffBlockKept>},
    {"spill_never_reset", false, kHeap, kWorkspaceBytes, 1, "SpillActivations",
     "a spill never reset", MakeRun<SpillNeverReset>},
    {"temporary_file_left", false, kTempFile, 0, 1, "MapScratchFile", "nd4j #4833",
     MakeRun<TemporaryFileLeft>},
    {"mapped_workspace_kept", false, kMapping, kWorkspaceBytes, 1, "OpenCheckpoint", "nd4j #8869",
     MakeRun<MappedWorkspaceKept>},
    {"never_collected", false, kHeap, kArrayBytes, 1, "DropGradient", "a collector that never runs",
     MakeRun<NeverCollected>},
    {"scope_closed", true, kHeap, 0, 0, "OpenAndCloseEpoch", "scope_never_closed",
     MakeRun<ScopeClosed>},
    {"array_detached_and_dropped", true, kHeap, 0, 0, "ReplaceLoss", "array_leaked_out",
     MakeRun<ArrayDetachedAndDropped>},
    {"switched_off_block_freed", true, kHeap, 0, 0, "AllocateAndFreeWhileOff",
     "switched_off_block_kept", MakeRun<SwitchedOffBlockFreed>},
    {"spill_reset", true, kHeap, 0, 0, "SpillAndReset", "spill_never_reset", MakeRun<SpillReset>},
    {"temporary_file_removed", true, kTempFile, 0, 0, "MapAndRemoveFile", "temporary_file_left",
     MakeRun<TemporaryFileRemoved>},
    {"mapped_workspace_replaced", true, kMapping, 0, 0, "ReplaceCheckpoint",
     "mapped_workspace_kept", MakeRun<MappedWorkspaceReplaced>},
    {"collected_now_and_then", true, kHeap, 0, 0, "DropAndCollect", "never_collected",
     MakeRun<CollectedNowAndThen>},
};

}  // namespace workspace_patterns

std::span<const Pattern> WorkspacePatterns() { return workspace_patterns::kPatterns; }

}  // namespace plimsoll
