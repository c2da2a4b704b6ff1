#include "allocators/workspace/workspace.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <thread>
#include <utility>

#include "allocators/allocation_error.h"
#include "allocators/workspace/sizing.h"
#include "base/check.h"

namespace plimsoll {
namespace {

constexpr uint32_t kNobody = 0;
constexpr uint32_t kOwner = 1;
constexpr uint32_t kTrimmer = 2;

// Pinned blocks live through this many further steps: whoever takes arrays from a
// circular workspace may lag that far behind.
constexpr uint64_t kStepsPinned = 2;

std::string Bytes(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

std::pmr::memory_resource* OrDefault(std::pmr::memory_resource* upstream) {
  return upstream != nullptr ? upstream : std::pmr::new_delete_resource();
}

}  // namespace

Expected<std::unique_ptr<Workspace>> Workspace::Create(const WorkspaceConfiguration& configuration,
                                                       std::string id,
                                                       const WorkspaceOptions& options) {
  if (id.empty()) return BadValue("workspace", "id", id, "expected at least one character");
  if (configuration.location() == LocationPolicy::kMmap && options.device != nullptr &&
      configuration.mirroring() == MirroringPolicy::kFull) {
    return BadValue("workspace '" + id + "'", "mirroring", "FULL",
                    "expected HOST_ONLY with location MMAP: device '" + options.device->name() +
                        "' would need room for all of a file that is there because it "
                        "does not fit in memory");
  }
  std::unique_ptr<Workspace> workspace(new Workspace(configuration, std::move(id), options));
  const uint64_t bytes = InitialCapacity(configuration);
  if (bytes > 0 || configuration.location() == LocationPolicy::kMmap) {
    if (Status sized = workspace->ResizeTo(bytes); !sized) {
      return Fail("workspace '" + workspace->id() + "': initial " + Bytes(bytes) + ": " +
                  sized.error().message);
    }
  }
  return workspace;
}

Workspace::Workspace(const WorkspaceConfiguration& configuration, std::string id,
                     const WorkspaceOptions& options)
    : ScopeTarget(std::move(id)),
      round_up_(configuration.alignment() - 1),
      owner_(ThreadScopes::Here().OwnNumber()),
      configuration_(configuration),
      poison_bytes_(options.poison_bytes && !configuration.circular() &&
                    configuration.location() == LocationPolicy::kRam),
      debug_mode_(options.debug_mode),
      source_(OrDefault(options.upstream),
              configuration.mirroring() == MirroringPolicy::kFull ? options.device : nullptr),
      backing_(configuration, source_),
      spilled_(source_),
      pinned_(source_),
      registration_(this, owner_) {}

Workspace::~Workspace() {
  if (depth_ > 0) {
    PLIMSOLL_CHECK(ThreadScopes::Here().number() == owner_,
                   "a workspace was destroyed while another thread had it open");
    ThreadScopes::Here().RemoveAll(this);
  } else {
    TakeLease();
  }
  for (const OutsideBlock& block : outside_blocks_) {
    source_.upstream()->deallocate(block.pointer, block.bytes, block.alignment);
  }
}

Expected<WorkspaceScope> Workspace::Enter() {
  if (Status thread = CheckThread("enter"); !thread) {
    return tl::unexpected<Error>(thread.error());
  }
  const uint64_t serial = ThreadScopes::Here().Push(this, ScopeKind::kEntered);
  if (depth_++ == 0) StartCycle();
  return WorkspaceScope(owner_, serial);
}

Expected<WorkspaceScope> Workspace::Borrow() {
  if (Status thread = CheckThread("borrow"); !thread) {
    return tl::unexpected<Error>(thread.error());
  }
  if (borrowed_) return Fail(Describe() + ": borrow: it is borrowed already");
  if (depth_ == 0) {
    return Fail(Describe() + ": borrow: expected an open workspace; enter it instead; " +
                "open workspaces: " + ThreadScopes::Here().OpenText());
  }
  const uint64_t serial = ThreadScopes::Here().Push(this, ScopeKind::kBorrowed);
  borrowed_ = true;
  ++depth_;
  return WorkspaceScope(owner_, serial);
}

Status Workspace::Open() {
  if (Status thread = CheckThread("open"); !thread) return thread;
  ThreadScopes::Here().Push(this, ScopeKind::kEntered);
  if (depth_++ == 0) StartCycle();
  return {};
}

Status Workspace::Close() {
  if (Status thread = CheckThread("close"); !thread) return thread;
  const std::optional<ScopeFrame> frame = ThreadScopes::Here().RemoveInnermost(this);
  if (!frame) {
    return Fail(Describe() +
                ": close: it is not open; open workspaces: " + ThreadScopes::Here().OpenText());
  }
  ScopeLeft(frame->kind);
  return {};
}

Status Workspace::SwitchOff() {
  if (Status thread = CheckThread("switch off"); !thread) return thread;
  if (depth_ == 0) return Fail(Describe() + ": switch off: expected an open workspace");
  off_ = true;
  SetFastEnd();
  return {};
}

Status Workspace::SwitchOn() {
  if (Status thread = CheckThread("switch on"); !thread) return thread;
  if (depth_ == 0) return Fail(Describe() + ": switch on: expected an open workspace");
  off_ = false;
  SetFastEnd();
  return {};
}

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

uint64_t Workspace::TryTrim() noexcept {
  if (configuration_.circular() || configuration_.location() == LocationPolicy::kMmap) return 0;
  uint32_t expected = kNobody;
  if (!lease_.compare_exchange_strong(expected, kTrimmer, std::memory_order_acquire)) return 0;
  const uint64_t bytes = backing_.size();
  if (bytes > 0) {
    trimmed_size_ = bytes;
    backing_.Release();
    // The rest of its state is its own thread's to read at any time.
    base_ = nullptr;
    device_base_ = nullptr;
    usable_ = 0;
  }
  ReturnLease();
  return bytes;
}

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

Status Workspace::CheckThread(const char* action) const {
  const uint64_t here = ThreadScopes::Here().number();
  if (here == owner_) return {};
  // Its state is its own thread's to read.
  return Fail("workspace '" + id() + "': " + action + " on thread " +
              std::to_string(ThreadScopes::Here().OwnNumber()) + ": expected thread " +
              std::to_string(owner_) +
              ", which made it; open workspaces here: " + ThreadScopes::Here().OpenText());
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

void Workspace::ScopeLeft(ScopeKind kind) {
  if (kind == ScopeKind::kBorrowed) borrowed_ = false;
  if (--depth_ == 0) EndCycle();
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

uint64_t Workspace::ThisCycle() const {
  return lap_start_ + offset_ - cycle_position_ - skipped_ + apart_this_cycle_;
}

uint64_t Workspace::Reserved() const {
  return backing_.size() + spilled_.bytes() + pinned_.bytes() + outside_bytes_;
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

void Workspace::TakeLease() const {
  uint32_t expected = kNobody;
  while (!lease_.compare_exchange_weak(expected, kOwner, std::memory_order_acquire)) {
    PLIMSOLL_CHECK(expected != kOwner, "a workspace's memory is in use twice");
    if (expected == kTrimmer) std::this_thread::yield();
    expected = kNobody;
  }
}

void Workspace::ReturnLease() const { lease_.store(kNobody, std::memory_order_release); }

SwitchedOff::SwitchedOff(Workspace& workspace)
    : ref_(workspace.ref()), generation_(workspace.generation()) {
  if (workspace.outside()) return;
  switched_ = workspace.SwitchOff().has_value();
}

SwitchedOff::~SwitchedOff() {
  auto* workspace = static_cast<Workspace*>(ref_.Live());
  // A cycle that ended meanwhile has switched on by itself.
  if (switched_ && workspace != nullptr && workspace->generation() == generation_ &&
      workspace->open()) {
    static_cast<void>(workspace->SwitchOn().has_value());
  }
}

}  // namespace plimsoll
