#ifndef ALLOCATORS_WORKSPACE_CONFIGURATION_H_
#define ALLOCATORS_WORKSPACE_CONFIGURATION_H_

// What a workspace is told before it starts: its sizes and its policies. A built
// configuration is valid and immutable, so it is as thread-safe as an int.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

enum class AllocationPolicy : uint8_t {
  kStrict,        // sizes are taken as they are
  kOverallocate,  // sizes grow by (1 + overallocation limit)
};

enum class LearningPolicy : uint8_t {
  kNone,       // the size is what was asked for
  kFirstLoop,  // the first cycle that allocates shows the size
  kOverTime,   // the largest of the first N cycles shows the size
};

enum class ResetPolicy : uint8_t {
  kBlockLeft,           // each cycle starts at offset 0
  kEndOfBufferReached,  // circular: cycles follow each other until the end, then wrap
};

enum class SpillPolicy : uint8_t {
  kExternal,    // what does not fit is allocated apart
  kReallocate,  // the same, and the workspace grows to the largest cycle
  kFail,        // what does not fit is an error
};

enum class MirroringPolicy : uint8_t {
  kHostOnly,
  kFull,  // every byte has a twin on the device, if the workspace is given one
};

enum class LocationPolicy : uint8_t {
  kRam,
  kMmap,  // in a mapped file: for arrays larger than RAM, contents outlive a cycle
};

// Immutable; only the builder makes one. Sizes are bytes.
class WorkspaceConfiguration {
 public:
  uint64_t initial_size() const { return initial_size_; }
  uint64_t min_size() const { return min_size_; }
  uint64_t max_size() const { return max_size_; }  // 0: unlimited
  double overallocation_limit() const { return overallocation_limit_; }
  uint64_t cycles_before_initialization() const { return cycles_before_initialization_; }
  uint64_t alignment() const { return alignment_; }
  AllocationPolicy allocation() const { return allocation_; }
  LearningPolicy learning() const { return learning_; }
  ResetPolicy reset() const { return reset_; }
  SpillPolicy spill() const { return spill_; }
  MirroringPolicy mirroring() const { return mirroring_; }
  LocationPolicy location() const { return location_; }
  // The mapped file. Empty: an unlinked temporary file in temporary_directory().
  const std::string& mmap_path() const { return mmap_path_; }
  // Empty: $TMPDIR, or /tmp.
  const std::string& temporary_directory() const { return temporary_directory_; }

  bool circular() const { return reset_ == ResetPolicy::kEndOfBufferReached; }

  // "initial_size=10485760, min_size=0, …", every field, as ParseWorkspaceConfiguration
  // reads it.
  std::string ToText() const;

  // "max_size: 0 here, 1024 there; spill: …", for an error; empty when equal.
  std::string DifferencesFrom(const WorkspaceConfiguration& there) const;

  friend bool operator==(const WorkspaceConfiguration&, const WorkspaceConfiguration&) = default;

 private:
  friend class WorkspaceConfigurationBuilder;
  WorkspaceConfiguration() = default;

  uint64_t initial_size_ = 0;
  uint64_t min_size_ = 0;
  uint64_t max_size_ = 0;
  double overallocation_limit_ = 0.3;
  uint64_t cycles_before_initialization_ = 0;
  uint64_t alignment_ = 8;
  AllocationPolicy allocation_ = AllocationPolicy::kOverallocate;
  LearningPolicy learning_ = LearningPolicy::kFirstLoop;
  ResetPolicy reset_ = ResetPolicy::kBlockLeft;
  SpillPolicy spill_ = SpillPolicy::kExternal;
  MirroringPolicy mirroring_ = MirroringPolicy::kFull;
  LocationPolicy location_ = LocationPolicy::kRam;
  std::string mmap_path_;
  std::string temporary_directory_;
};

// Collects what is asked for; Build() says whether it can be had. Sizes are signed so
// that a negative one, and one of 2^63 or more, is seen and refused. Copyable; not
// thread-safe.
class WorkspaceConfigurationBuilder {
 public:
  using Builder = WorkspaceConfigurationBuilder;

  Builder& InitialSize(int64_t bytes);
  Builder& MinSize(int64_t bytes);
  Builder& MaxSize(int64_t bytes);             // 0: unlimited
  Builder& OverallocationLimit(double share);  // 0.3: thirty per cent more
  Builder& CyclesBeforeInitialization(int64_t cycles);
  Builder& Alignment(int64_t bytes);  // a power of two from 8 to 4096
  Builder& Allocation(AllocationPolicy policy);
  // Unless set: FIRST_LOOP, or NONE where nothing can be learned (a mapped file, and
  // a circular workspace with an initial size).
  Builder& Learning(LearningPolicy policy);
  Builder& Reset(ResetPolicy policy);
  Builder& Spill(SpillPolicy policy);
  Builder& Mirroring(MirroringPolicy policy);
  Builder& Location(LocationPolicy policy);
  Builder& MmapPath(std::string path);
  Builder& TemporaryDirectory(std::string path);

  // Sets one field by name, as scripts write it: Set("initial_size", "10 MiB"),
  // Set("spill", "REALLOCATE"). Names are those of ToText(). Errors: an unknown name,
  // or a value that does not parse, with what is allowed.
  Status Set(std::string_view name, std::string_view value);

  // The configuration, or why this combination is refused.
  Expected<WorkspaceConfiguration> Build() const;

 private:
  int64_t initial_size_ = 0;
  int64_t min_size_ = 0;
  int64_t max_size_ = 0;
  double overallocation_limit_ = 0.3;
  int64_t cycles_before_initialization_ = 0;
  int64_t alignment_ = 8;
  std::optional<LearningPolicy> learning_;
  WorkspaceConfiguration policies_;  // the fields that need no check of their own
};

// "initial_size=10MiB, learning=OVER_TIME, cycles_before_initialization=3": fields
// between commas, in any order; what is left out has its default.
Expected<WorkspaceConfiguration> ParseWorkspaceConfiguration(std::string_view text);

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_CONFIGURATION_H_
