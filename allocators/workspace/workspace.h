#ifndef ALLOCATORS_WORKSPACE_WORKSPACE_H_
#define ALLOCATORS_WORKSPACE_WORKSPACE_H_

// Memory for work that repeats: taken once, handed out by moving an offset, taken back
// whole when a scope ends. A workspace belongs to the thread that made it; every other
// thread gets an error.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "allocators/stats.h"
#include "allocators/workspace/apart_blocks.h"
#include "allocators/workspace/backing.h"
#include "allocators/workspace/configuration.h"
#include "allocators/workspace/device_memory.h"
#include "allocators/workspace/memory_pair.h"
#include "allocators/workspace/poison.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/statistics.h"
#include "allocators/workspace/thread_scopes.h"
#include "allocators/workspace/workspace_ref.h"
#include "base/error.h"

namespace plimsoll {

// For finding out whether a bug comes from a workspace. Looked at when a scope opens.
enum class WorkspaceDebugMode : uint8_t {
  kDisabled,
  kSpillEverything,   // nothing is served from the workspace; all is allocated apart
  kBypassEverything,  // all is allocated outside, as if there were no workspace
};

// What a workspace stands on. Everything pointed to is borrowed and must outlive it.
struct WorkspaceOptions {
  // For its memory, spills and outside blocks; null: new and delete. A LimitedResource
  // charges all of it to a MemoryLimit. Must not throw anything but std::bad_alloc.
  std::pmr::memory_resource* upstream = nullptr;
  // Mirrors every byte when the configuration says FULL; null: nothing to mirror to.
  DeviceMemory* device = nullptr;
  // Shared by many workspaces; null: kDisabled.
  const std::atomic<WorkspaceDebugMode>* debug_mode = nullptr;
  // Fill memory with kResetByte when its cycle ends. Not in a mapped file, whose
  // contents stay, nor in a circular workspace, whose arrays outlive their cycle.
  bool poison_bytes = kPoisonBytesByDefault;
};

// Where an array lies, and what tells whether it is still there.
struct WorkspaceBlock {
  enum class Kind : uint8_t { kInside, kSpilled, kPinned };

  std::byte* host = nullptr;
  std::byte* device = nullptr;  // null: not mirrored
  Kind kind = Kind::kInside;
  uint64_t generation = 0;
  uint64_t position = 0;  // kInside: bytes handed out before it; kPinned: its step
};

class Workspace final : public std::pmr::memory_resource, public ScopeTarget {
 public:
  // A closed workspace of the calling thread, with its initial memory. Errors: an empty
  // id; FULL mirroring of a mapped file on a device; the memory or the file cannot be
  // had.
  static Expected<std::unique_ptr<Workspace>> Create(const WorkspaceConfiguration& configuration,
                                                     std::string id,
                                                     const WorkspaceOptions& options = {});

  // Gives everything back. Scopes that are still open are closed first; aborts if they
  // are another thread's.
  ~Workspace() override;

  // Makes this the thread's current workspace. The outermost entry starts a cycle: the
  // offset is reset (a circular workspace goes on to its next block) and a new
  // generation begins. Every further entry, nested or not current, only nests.
  // Error: a foreign thread.
  Expected<WorkspaceScope> Enter();

  // Makes this the current workspace without starting or ending a cycle. Errors: it is
  // not open; it is borrowed already; a foreign thread.
  Expected<WorkspaceScope> Borrow();

  // Enter without a scope, for code that cannot hold one; and the end of the innermost
  // opening. Errors: as Enter; nothing is open; a foreign thread.
  Status Open();
  Status Close();

  // While off, what is allocated goes outside: it is not reset, not counted as demand,
  // and lives until it is deallocated. The end of the cycle switches on again.
  // Errors: it is not open; a foreign thread.
  Status SwitchOff();
  Status SwitchOn();

  // Learns by hand: takes memory for the largest cycle so far. Keeps what it has when
  // that is enough, or when it has learned and does not reallocate. Errors: it is open;
  // learning is NONE; there was no cycle yet; the memory cannot be had; a foreign thread.
  Status Initialize();

  // Room for `bytes` bytes at `alignment` (a power of two) until the cycle ends; in a
  // circular workspace, until it is overwritten or freed. Does not throw. Errors: 0 or
  // more than PTRDIFF_MAX bytes; it is not open; it is switched off or bypassed; it is
  // full and the spill policy is FAIL; no memory; a foreign thread.
  Expected<WorkspaceBlock> TryAllocate(size_t bytes, size_t alignment) {
    if (std::byte* host = Bump(bytes, alignment)) return BlockAt(host);
    return AllocateSlowly(bytes, alignment);
  }

  // Whether what an array of `bytes` bytes in `block` held is still there. Otherwise an
  // error that names this workspace, its state and the open ones.
  Status CheckAlive(const WorkspaceBlock& block, size_t bytes) const;

  // Gives the memory of a closed workspace back until it is entered again; returns the
  // bytes. The only call that is open to every thread. 0 when it is open, circular
  // (its arrays outlive their scope) or mapped.
  uint64_t TryTrim() noexcept;

  WorkspaceStatistics Statistics() const;
  // The same in the words that all allocators share. What is in use is what the open
  // cycle allocated, rounded up, and what lives outside; what is reserved is the
  // workspace's memory and what it allocated apart.
  AllocatorStats Stats() const;
  // "workspace 'ITER' (open, generation 5)".
  std::string Describe() const;

  const WorkspaceConfiguration& configuration() const { return configuration_; }
  const WorkspaceRef& ref() const { return registration_.ref(); }
  DeviceMemory* device() const { return source_.device(); }
  bool open() const { return depth_ > 0; }
  // Whether an allocation now would go outside.
  bool outside() const { return off_ || mode_ == WorkspaceDebugMode::kBypassEverything; }
  uint64_t offset() const { return offset_; }
  uint64_t current_size() const;
  uint64_t generation() const { return generation_; }

 private:
  Workspace(const WorkspaceConfiguration& configuration, std::string id,
            const WorkspaceOptions& options);

  // std::pmr::memory_resource. Throws AllocationError, or what the upstream throws.
  // Deallocation gives back only what was allocated outside: the rest goes when the
  // cycle ends.
  void* do_allocate(size_t bytes, size_t alignment) override {
    if (std::byte* host = Bump(bytes, alignment)) return host;
    return AllocateOrThrow(bytes, alignment);
  }
  void do_deallocate(void* pointer, size_t bytes, size_t alignment) override {
    if (!outside_blocks_.empty()) FreeOutside(pointer, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  void ScopeLeft(ScopeKind kind) override;

  // The whole of a common allocation; null sends the rest to AllocateSlowly.
  std::byte* Bump(size_t bytes, size_t alignment) {
    const uint64_t start = (offset_ + alignment - 1) & ~(alignment - 1);
    // `bytes - 1` wraps for 0, so that one comparison refuses 0 and too much.
    if (start >= fast_end_ || bytes - 1 >= fast_end_ - start ||
        alignment - 1 >= Backing::kBaseAlignment || (alignment & (alignment - 1)) != 0 ||
        ThreadScopes::Here().number() != owner_) {
      return nullptr;
    }
    offset_ = (start + bytes + round_up_) & ~round_up_;
    CountAllocation(bytes);
    UnpoisonForAsan(base_ + start, bytes);
    return base_ + start;
  }

  void CountAllocation(size_t bytes) {
    ++allocations_;
    if (bytes > largest_allocation_) largest_allocation_ = bytes;
  }

  WorkspaceBlock BlockAt(std::byte* host) const {
    const auto offset = static_cast<uint64_t>(host - base_);
    return {host, device_base_ == nullptr ? nullptr : device_base_ + offset,
            WorkspaceBlock::Kind::kInside, generation_, lap_start_ + offset};
  }

  Expected<WorkspaceBlock> AllocateSlowly(size_t bytes, size_t alignment);
  void* AllocateOrThrow(size_t bytes, size_t alignment);
  void* AllocateOutside(size_t bytes, size_t alignment);
  void FreeOutside(void* pointer, size_t bytes, size_t alignment) noexcept;
  Expected<WorkspaceBlock> AllocateApart(uint64_t bytes, uint64_t alignment);
  std::byte* BumpSlowly(uint64_t bytes, uint64_t alignment);
  bool WrapFor(uint64_t bytes);

  Status CheckRequest(size_t bytes, size_t alignment) const;
  Status CheckThread(const char* action) const;

  void StartCycle();
  void EndCycle();
  void Learn();
  void Regrow();
  void FreeOldBlocks();
  Status ResizeTo(uint64_t bytes);
  void NoteBacking();
  void StartLap();
  uint64_t ThisCycle() const;
  uint64_t Reserved() const;
  void SetFastEnd();
  WorkspaceDebugMode ModeNow() const;
  void TakeLease() const;
  void ReturnLease() const;

  // Read at every allocation, and so first.
  std::byte* base_ = nullptr;
  uint64_t offset_ = 0;
  uint64_t fast_end_ = 0;  // Bump stays below it; 0 while closed and in special modes
  uint64_t round_up_;      // alignment - 1
  const uint64_t owner_;   // thread number
  uint64_t allocations_ = 0;
  uint64_t largest_allocation_ = 0;
  std::byte* device_base_ = nullptr;
  uint64_t generation_ = 0;
  // Bytes handed out by earlier laps: lap_start_ + offset_ never decreases, and so names
  // a place in a circular workspace once and for all.
  uint64_t lap_start_ = 0;

  uint64_t depth_ = 0;
  bool borrowed_ = false;
  bool off_ = false;
  bool learned_ = false;
  WorkspaceDebugMode mode_ = WorkspaceDebugMode::kDisabled;

  const WorkspaceConfiguration configuration_;
  const bool poison_bytes_;
  const std::atomic<WorkspaceDebugMode>* const debug_mode_;
  const MemoryPairSource source_;
  Backing backing_;
  ApartBlocks spilled_;  // age: generation
  ApartBlocks pinned_;   // age: step
  struct OutsideBlock {
    void* pointer;
    size_t bytes;
    size_t alignment;
  };
  std::vector<OutsideBlock> outside_blocks_;
  uint64_t outside_bytes_ = 0;

  // Circular workspaces.
  uint64_t usable_ = 0;           // current size, rounded down to the alignment
  uint64_t block_ = 0;            // 0: not learned
  uint64_t cycle_offset_ = 0;     // where this cycle began in its lap
  uint64_t cycle_position_ = 0;   // lap_start_ + offset_ at its beginning
  uint64_t skipped_ = 0;          // bytes left unused at the end of a lap in this cycle
  bool wrapped_ = false;          // this cycle has gone past the end
  uint64_t oldest_position_ = 0;  // what lies before it was lost with older memory
  bool outgrown_ = false;         // REALLOCATE: a larger block is wanted …
  uint64_t outgrown_step_ = 0;    // … since this step

  uint64_t apart_this_cycle_ = 0;
  uint64_t last_cycle_ = 0;
  uint64_t max_cycle_ = 0;
  uint64_t cycles_ = 0;
  uint64_t step_ = 0;
  uint64_t peak_in_use_ = 0;
  uint64_t peak_reserved_ = 0;
  uint64_t resizes_ = 0;
  uint64_t failed_resizes_ = 0;
  std::string last_failure_;

  // Who may touch the memory of this workspace: 0 nobody does, 1 its thread does,
  // 2 a thread that trims does.
  mutable std::atomic<uint32_t> lease_{0};
  uint64_t trimmed_size_ = 0;  // what TryTrim took; under the lease

  const WorkspaceRegistration registration_;
};

// Switches a workspace off for as long as it lives.
class [[nodiscard]] SwitchedOff {
 public:
  // `workspace` is borrowed. Does nothing when it is off already, or not open.
  explicit SwitchedOff(Workspace& workspace);
  SwitchedOff(const SwitchedOff&) = delete;
  SwitchedOff& operator=(const SwitchedOff&) = delete;
  ~SwitchedOff();

 private:
  const WorkspaceRef ref_;
  uint64_t generation_ = 0;
  bool switched_ = false;
};

// The thread's current workspace; null outside of all.
inline Workspace* CurrentWorkspace() {
  return static_cast<Workspace*>(ThreadScopes::Here().current());
}

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_WORKSPACE_H_
