// What a workspace says of itself.

#include <algorithm>
#include <string>

#include "allocators/workspace/workspace.h"

namespace plimsoll {

std::string Workspace::Describe() const {
  std::string text = "workspace '" + id() + "' (";
  if (depth_ == 0) {
    text += "closed";
  } else {
    text += "open";
    if (depth_ > 1) text += " " + std::to_string(depth_) + " deep";
    if (borrowed_) text += ", borrowed";
    if (off_) text += ", switched off";
  }
  return text + ", generation " + std::to_string(generation_) + ")";
}

uint64_t Workspace::current_size() const {
  if (depth_ > 0) return backing_.size();
  TakeLease();
  const uint64_t bytes = backing_.size();
  ReturnLease();
  return bytes;
}

WorkspaceStatistics Workspace::Statistics() const {
  const bool closed = depth_ == 0;
  if (closed) TakeLease();
  WorkspaceStatistics s;
  s.id = id();
  s.thread = owner_;
  s.open = !closed;
  s.depth = depth_;
  s.current_size = backing_.size();
  s.offset = offset_;
  s.block_size = block_;
  s.device_size = backing_.device() != nullptr ? backing_.size() : 0;
  s.spilled = spilled_.bytes();
  s.pinned = pinned_.bytes();
  s.outside = outside_bytes_;
  s.external_count = spilled_.count();
  s.pinned_count = pinned_.count();
  s.outside_count = outside_blocks_.size();
  s.this_cycle = closed ? 0 : ThisCycle();
  s.last_cycle = last_cycle_;
  s.max_cycle = max_cycle_;
  s.cycles = cycles_;
  s.step = step_;
  s.generation = generation_;
  s.resizes = resizes_;
  s.failed_resizes = failed_resizes_;
  s.last_failure = last_failure_;
  if (closed) ReturnLease();
  return s;
}

AllocatorStats Workspace::Stats() const {
  const bool closed = depth_ == 0;
  if (closed) TakeLease();
  const uint64_t in_use = (closed ? 0 : ThisCycle()) + outside_bytes_;
  AllocatorStats stats;
  stats.num_allocs = static_cast<int64_t>(allocations_);
  stats.bytes_in_use = static_cast<int64_t>(in_use);
  stats.peak_bytes_in_use = static_cast<int64_t>(std::max(peak_in_use_, in_use));
  stats.largest_alloc_size = static_cast<int64_t>(largest_allocation_);
  if (configuration_.max_size() > 0) {
    stats.bytes_limit = static_cast<int64_t>(configuration_.max_size());
  }
  stats.bytes_reserved = static_cast<int64_t>(Reserved());
  stats.peak_bytes_reserved = static_cast<int64_t>(peak_reserved_);
  stats.largest_free_block = static_cast<int64_t>(usable_ - offset_);
  if (closed) ReturnLease();
  return stats;
}

uint64_t Workspace::ThisCycle() const {
  return lap_start_ + offset_ - cycle_position_ - skipped_ + apart_this_cycle_;
}

uint64_t Workspace::Reserved() const {
  return backing_.size() + spilled_.bytes() + pinned_.bytes() + outside_bytes_;
}

}  // namespace plimsoll
