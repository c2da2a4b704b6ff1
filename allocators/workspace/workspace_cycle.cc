// What happens between cycles: the reset, what is freed, and what is learned.

#include <algorithm>
#include <cstring>
#include <utility>

#include "allocators/workspace/sizing.h"
#include "allocators/workspace/workspace.h"

namespace plimsoll {
namespace {

// Pinned blocks live through this many further steps: whoever takes arrays from a
// circular workspace may lag that far behind.
constexpr uint64_t kStepsPinned = 2;

}  // namespace

Status Workspace::Initialize() {
  if (Status thread = CheckThread("initialize"); !thread) return thread;
  if (depth_ > 0) {
    return Fail(Describe() + ": initialize: expected a closed workspace: its arrays would move");
  }
  if (configuration_.learning() == LearningPolicy::kNone) {
    return Fail(Describe() + ": initialize: expected learning FIRST_LOOP or OVER_TIME, it is NONE");
  }
  if (max_cycle_ == 0) {
    return Fail(Describe() + ": initialize: expected a cycle that allocated: nothing is learned");
  }
  if (learned_ && configuration_.spill() != SpillPolicy::kReallocate) return {};
  TakeLease();
  const uint64_t bytes = LearnedCapacity(configuration_, max_cycle_);
  Status sized;
  if (bytes > std::max(backing_.size(), trimmed_size_)) {
    trimmed_size_ = 0;
    sized = ResizeTo(bytes);
  }
  if (sized) {
    learned_ = true;
    if (configuration_.circular()) {
      block_ = std::min(CircularBlock(configuration_, max_cycle_), usable_);
    }
  }
  ReturnLease();
  if (!sized) return Fail(Describe() + ": initialize: " + sized.error().message);
  return {};
}

void Workspace::StartCycle() {
  TakeLease();
  mode_ = debug_mode_ == nullptr ? WorkspaceDebugMode::kDisabled
                                 : debug_mode_->load(std::memory_order_relaxed);
  ++generation_;
  // What was trimmed comes back. If it cannot, the cycle spills, and the failure is
  // among the statistics.
  if (trimmed_size_ > 0) static_cast<void>(ResizeTo(std::exchange(trimmed_size_, 0)).has_value());
  apart_this_cycle_ = 0;
  skipped_ = 0;
  wrapped_ = false;
  if (block_ > 0 && usable_ - offset_ < block_) StartLap();
  cycle_offset_ = offset_;
  cycle_position_ = lap_start_ + offset_;
  SetFastEnd();
}

void Workspace::EndCycle() {
  last_cycle_ = ThisCycle();
  max_cycle_ = std::max(max_cycle_, last_cycle_);
  peak_in_use_ = std::max(peak_in_use_, last_cycle_ + outside_bytes_);
  ++cycles_;
  if (cycles_ > 1 && (cycles_ - 1) % CyclesPerStep(configuration_) == 0) ++step_;
  off_ = false;
  fast_end_ = 0;
  FreeOldBlocks();
  if (!configuration_.circular()) {
    if (poison_bytes_ && offset_ > 0) {
      UnpoisonForAsan(base_, offset_);
      std::memset(base_, kResetByte, offset_);
    }
    PoisonForAsan(base_, offset_);
    offset_ = 0;
  } else if (block_ > 0 && !outgrown_ && lap_start_ + offset_ > cycle_position_) {
    offset_ = std::min(cycle_offset_ + block_, usable_);
  }
  if (mode_ == WorkspaceDebugMode::kDisabled && max_cycle_ > 0) {
    Learn();
    Regrow();
  }
  ReturnLease();
}

void Workspace::FreeOldBlocks() {
  if (step_ > kStepsPinned) pinned_.FreeThrough(step_ - kStepsPinned - 1);
  if (!configuration_.circular()) {
    spilled_.FreeThrough(generation_);
    return;
  }
  // Spills go at the wrap. While no memory is in use there is none, and they go at the
  // age of pinned ones.
  const bool wraps = usable_ > 0 && mode_ != WorkspaceDebugMode::kSpillEverything;
  const uint64_t kept = (kStepsPinned + 1) * CyclesPerStep(configuration_);
  if (!wraps && generation_ > kept) spilled_.FreeThrough(generation_ - kept);
}

void Workspace::Learn() {
  if (learned_ || configuration_.learning() == LearningPolicy::kNone) return;
  const bool due = configuration_.learning() == LearningPolicy::kFirstLoop
                       ? configuration_.initial_size() == 0
                       : cycles_ >= configuration_.cycles_before_initialization();
  if (!due) return;
  const uint64_t bytes = LearnedCapacity(configuration_, max_cycle_);
  if (bytes > backing_.size() && !ResizeTo(bytes)) return;
  learned_ = true;
  if (configuration_.circular()) {
    block_ = std::min(CircularBlock(configuration_, max_cycle_), usable_);
  }
}

void Workspace::Regrow() {
  if (configuration_.spill() != SpillPolicy::kReallocate) return;
  const uint64_t bytes = LearnedCapacity(configuration_, max_cycle_);
  if (configuration_.circular()) {
    if (!outgrown_ || step_ - outgrown_step_ <= kStepsPinned) return;
    outgrown_ = false;
    if (bytes > backing_.size()) static_cast<void>(ResizeTo(bytes).has_value());
    block_ = std::min(CircularBlock(configuration_, max_cycle_), usable_);
    return;
  }
  const bool started = learned_ || configuration_.initial_size() > 0 ||
                       configuration_.learning() == LearningPolicy::kNone;
  if (started && max_cycle_ > backing_.size() && bytes > backing_.size()) {
    static_cast<void>(ResizeTo(bytes).has_value());
  }
}

Status Workspace::ResizeTo(uint64_t bytes) {
  Status resized = backing_.Resize(bytes);
  if (resized) {
    ++resizes_;
  } else {
    ++failed_resizes_;
    last_failure_ = resized.error().message;
  }
  NoteBacking();
  return resized;
}

void Workspace::NoteBacking() {
  base_ = backing_.host();
  device_base_ = backing_.device();
  usable_ = backing_.size() & ~round_up_;
  peak_reserved_ = std::max(peak_reserved_, Reserved());
  // New memory starts a new lap; what lay in the old one is gone.
  lap_start_ += offset_;
  offset_ = 0;
  oldest_position_ = lap_start_;
}

void Workspace::StartLap() {
  lap_start_ += usable_;
  offset_ = 0;
  // Not those of the cycle that wraps.
  spilled_.FreeThrough(generation_ - 1);
}

void Workspace::SetFastEnd() {
  if (depth_ == 0 || off_ || outgrown_ || mode_ != WorkspaceDebugMode::kDisabled) {
    fast_end_ = 0;
  } else if (!configuration_.circular()) {
    fast_end_ = usable_;
  } else if (block_ > 0) {
    fast_end_ = std::min(cycle_offset_ + block_, usable_);
  } else {
    fast_end_ = wrapped_ ? cycle_offset_ : usable_;
  }
}

}  // namespace plimsoll
