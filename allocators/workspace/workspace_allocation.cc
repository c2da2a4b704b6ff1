// What an allocation does when the offset cannot simply be moved, and whether an array
// is still there.

#include <algorithm>
#include <bit>
#include <string>

#include "allocators/allocation_error.h"
#include "allocators/workspace/sizing.h"
#include "allocators/workspace/workspace.h"

namespace plimsoll {
namespace {

std::string Bytes(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

Status Workspace::CheckAlive(const WorkspaceBlock& block, size_t bytes) const {
  if (Status thread = CheckThread("use of an array"); !thread) return thread;
  bool alive = false;
  std::string reason;
  if (!configuration_.circular()) {
    alive = depth_ > 0 && block.generation == generation_;
    reason = block.generation == generation_ ? "whose scope is closed" : "which has ended";
  } else if (block.kind == WorkspaceBlock::Kind::kInside) {
    alive = block.position >= oldest_position_ && lap_start_ + offset_ <= block.position + usable_;
    reason = "and overwritten since";
  } else {
    alive = block.kind == WorkspaceBlock::Kind::kSpilled ? spilled_.Holds(block.generation)
                                                         : pinned_.Holds(block.position);
    reason = "and freed since";
  }
  if (alive) return {};
  return Fail("array of " + Bytes(bytes) + " of " + Describe() + ": made in generation " +
              std::to_string(block.generation) + ", " + reason +
              "; open workspaces: " + ThreadScopes::Here().OpenText());
}

Status Workspace::CheckRequest(size_t bytes, size_t alignment) const {
  if (bytes == 0 || bytes > static_cast<size_t>(PTRDIFF_MAX) - round_up_) {
    return Fail(Describe() + ": request of " + Bytes(bytes) + ": expected from 1 to " +
                std::to_string(static_cast<size_t>(PTRDIFF_MAX) - round_up_));
  }
  if (!std::has_single_bit(alignment)) {
    return Fail(Describe() + ": request at alignment " + std::to_string(alignment) +
                ": expected a power of two");
  }
  return {};
}

void* Workspace::AllocateOrThrow(size_t bytes, size_t alignment) {
  if (ThreadScopes::Here().number() == owner_ && depth_ > 0 && outside()) {
    return AllocateOutside(bytes, alignment);
  }
  const Expected<WorkspaceBlock> block = AllocateSlowly(bytes, alignment);
  if (!block) throw AllocationError(block.error());
  return block->host;
}

void* Workspace::AllocateOutside(size_t bytes, size_t alignment) {
  if (Status request = CheckRequest(bytes, alignment); !request) {
    throw AllocationError(request.error());
  }
  // Room in the list first: nothing may fail between getting the block and noting it.
  if (outside_blocks_.size() == outside_blocks_.capacity()) {
    outside_blocks_.reserve(std::max<size_t>(16, 2 * outside_blocks_.size()));
  }
  void* pointer = source_.upstream()->allocate(bytes, alignment);
  outside_blocks_.push_back({pointer, bytes, alignment});
  outside_bytes_ += bytes;
  CountAllocation(bytes);
  peak_in_use_ = std::max(peak_in_use_, ThisCycle() + outside_bytes_);
  peak_reserved_ = std::max(peak_reserved_, Reserved());
  return pointer;
}

void Workspace::FreeOutside(void* pointer, size_t bytes, size_t alignment) noexcept {
  const auto block = std::find_if(outside_blocks_.rbegin(), outside_blocks_.rend(),
                                  [pointer](const auto& b) { return b.pointer == pointer; });
  if (block == outside_blocks_.rend()) return;
  source_.upstream()->deallocate(pointer, bytes, alignment);
  outside_bytes_ -= block->bytes;
  *block = outside_blocks_.back();
  outside_blocks_.pop_back();
}

Expected<WorkspaceBlock> Workspace::AllocateSlowly(size_t bytes, size_t alignment) {
  if (Status thread = CheckThread("allocation"); !thread) {
    return tl::unexpected<Error>(thread.error());
  }
  if (Status request = CheckRequest(bytes, alignment); !request) {
    return tl::unexpected<Error>(request.error());
  }
  if (depth_ == 0) {
    return Fail(
        Describe() + ": allocation of " + Bytes(bytes) +
        ": expected an open workspace; open workspaces: " + ThreadScopes::Here().OpenText());
  }
  if (outside()) {
    return Fail(Describe() + ": allocation of " + Bytes(bytes) + ": " +
                (off_ ? "it is switched off" : "debug mode BYPASS_EVERYTHING") +
                ": expected the caller to allocate outside");
  }
  if (std::byte* host = BumpSlowly(bytes, alignment)) return BlockAt(host);
  if (WrapFor(bytes)) {
    if (std::byte* host = BumpSlowly(bytes, alignment)) return BlockAt(host);
  }
  if (configuration_.spill() == SpillPolicy::kFail && mode_ == WorkspaceDebugMode::kDisabled) {
    return Fail(Describe() + ": full: asked " + Bytes(bytes) + " at alignment " +
                std::to_string(alignment) + ", " + std::to_string(offset_) + " of " +
                Bytes(backing_.size()) +
                " are in use; spill is FAIL: expected a larger initial_size, or EXTERNAL");
  }
  return AllocateApart((bytes + round_up_) & ~round_up_,
                       std::max<uint64_t>(alignment, configuration_.alignment()));
}

// As Bump, for alignments beyond the base's and for the second try after a wrap.
std::byte* Workspace::BumpSlowly(uint64_t bytes, uint64_t alignment) {
  if (fast_end_ == 0) return nullptr;
  const auto base = reinterpret_cast<uintptr_t>(base_);
  const uint64_t start = ((base + offset_ + alignment - 1) & ~(alignment - 1)) - base;
  if (start >= fast_end_ || bytes > fast_end_ - start) return nullptr;
  offset_ = (start + bytes + round_up_) & ~round_up_;
  CountAllocation(bytes);
  UnpoisonForAsan(base_ + start, bytes);
  return base_ + start;
}

// A circular workspace without blocks goes on at its beginning, up to where this cycle
// began: a cycle never overwrites itself.
bool Workspace::WrapFor(uint64_t bytes) {
  if (!configuration_.circular() || block_ > 0 || wrapped_ || fast_end_ == 0) return false;
  if (bytes > cycle_offset_) return false;
  skipped_ += usable_ - offset_;
  StartLap();
  wrapped_ = true;
  SetFastEnd();
  return true;
}

Expected<WorkspaceBlock> Workspace::AllocateApart(uint64_t bytes, uint64_t alignment) {
  const bool pin =
      configuration_.circular() && usable_ > 0 && mode_ != WorkspaceDebugMode::kSpillEverything;
  const Expected<MemoryPair> pair = pin ? pinned_.Allocate(bytes, alignment, step_)
                                        : spilled_.Allocate(bytes, alignment, generation_);
  if (!pair) {
    return Fail(Describe() + ": " + (pin ? "pin " : "spill ") + Bytes(bytes) + ": " +
                pair.error().message);
  }
  if (pin && configuration_.spill() == SpillPolicy::kReallocate && !outgrown_) {
    uint64_t wanted = CircularBlock(configuration_, std::max(max_cycle_, ThisCycle() + bytes));
    if (configuration_.max_size() > 0) wanted = std::min(wanted, configuration_.max_size());
    if (wanted > block_) {
      // From here on everything is pinned, so that when the memory is replaced, two
      // steps on, nobody still reads what lies in it.
      outgrown_ = true;
      outgrown_step_ = step_;
      SetFastEnd();
    }
  }
  apart_this_cycle_ += bytes;
  CountAllocation(bytes);
  peak_reserved_ = std::max(peak_reserved_, Reserved());
  return WorkspaceBlock{pair->host, pair->device,
                        pin ? WorkspaceBlock::Kind::kPinned : WorkspaceBlock::Kind::kSpilled,
                        generation_, pin ? step_ : 0};
}

}  // namespace plimsoll
