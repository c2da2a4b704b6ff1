#ifndef ALLOCATORS_WORKSPACE_ARRAY_STORAGE_H_
#define ALLOCATORS_WORKSPACE_ARRAY_STORAGE_H_

// The bytes of an array: in a workspace, and gone with its cycle; or detached, and gone
// with the last handle. A handle is used by one thread at a time; handles on the same
// detached bytes may be copied and dropped by any thread.

#include <atomic>
#include <cstddef>
#include <memory_resource>
#include <string>
#include <string_view>
#include <utility>

#include "allocators/workspace/workspace.h"
#include "allocators/workspace/workspace_ref.h"
#include "base/error.h"

namespace plimsoll {

// Where detached arrays come from, in the whole process; new and delete until set. A
// DeallocatorQueue here makes their end "collected" instead of immediate. Thread-safe.
std::pmr::memory_resource* DetachedResource();
// Returns the one before. `resource` (null: new and delete) is borrowed, must be
// thread-safe, and must outlive every array that comes from it.
std::pmr::memory_resource* SetDetachedResource(std::pmr::memory_resource* resource);

class ArrayStorage {
 public:
  // In the thread's current workspace; detached when there is none, or when that one is
  // switched off or bypassed. Errors: as Workspace::TryAllocate, no memory.
  static Expected<ArrayStorage> Create(size_t bytes, size_t alignment);
  static Expected<ArrayStorage> CreateIn(Workspace& workspace, size_t bytes, size_t alignment);
  static Expected<ArrayStorage> CreateDetached(size_t bytes, size_t alignment);

  ArrayStorage(const ArrayStorage& other)
      : host_(other.host_),
        bytes_(other.bytes_),
        alignment_(other.alignment_),
        detached_(other.detached_),
        ref_(other.ref_),
        block_(other.block_) {
    if (detached_ != nullptr) detached_->references.fetch_add(1, std::memory_order_relaxed);
  }
  ArrayStorage(ArrayStorage&& other) noexcept
      : host_(other.host_),
        bytes_(other.bytes_),
        alignment_(other.alignment_),
        detached_(std::exchange(other.detached_, nullptr)),
        ref_(other.ref_),
        block_(other.block_) {
    other.bytes_ = 0;
  }
  ArrayStorage& operator=(ArrayStorage other) noexcept {
    std::swap(host_, other.host_);
    std::swap(bytes_, other.bytes_);
    std::swap(alignment_, other.alignment_);
    std::swap(detached_, other.detached_);
    std::swap(ref_, other.ref_);
    std::swap(block_, other.block_);
    return *this;
  }
  ~ArrayStorage() {
    if (detached_ != nullptr) DropDetached();
  }

  std::byte* host() const { return host_; }
  std::byte* device() const { return block_.device; }  // null: not mirrored
  size_t bytes() const { return bytes_; }

  // Whether it belongs to a workspace, be it alive or not.
  bool attached() const { return !ref_.empty(); }
  // The workspace it is in; null when detached, or when that workspace is gone.
  Workspace* workspace() const { return static_cast<Workspace*>(ref_.Live()); }
  std::string workspace_id() const { return attached() ? ref_.Id() : ""; }

  // Whether its bytes are still there. The error names the workspace, its state and the
  // open ones; a foreign thread, for an array in a workspace, is an error too.
  Status CheckAlive() const;

  // The copies below check that first. All copy the host's bytes; a copy that is
  // mirrored has them on its device, too.

  Expected<ArrayStorage> CopyTo(Workspace& workspace) const;
  // Detached already: itself.
  Expected<ArrayStorage> Detach() const;
  // To the parent of the current workspace; detached when it has none. Unchanged: it is
  // detached, it is in that parent already, no workspace is current.
  Expected<ArrayStorage> Leverage() const;
  // To the open workspace of that id. Unchanged: detached, in it already; also when no
  // such workspace is open, unless `enforce` makes that an error.
  Expected<ArrayStorage> LeverageTo(std::string_view id, bool enforce) const;
  // As LeverageTo; detached when no such workspace is open.
  Expected<ArrayStorage> LeverageOrDetach(std::string_view id) const;
  // Into the current workspace, in it already: unchanged. When none is current:
  // unchanged, or detached if `detach_when_outside`.
  Expected<ArrayStorage> Migrate(bool detach_when_outside) const;

  // Between the host's bytes and their twin. Errors: not alive, not mirrored, the
  // device's.
  Status ToDevice() const;
  Status ToHost() const;

 private:
  struct DetachedBlock {
    std::atomic<uint64_t> references;
    std::pmr::memory_resource* resource;
    size_t bytes;  // this header and padding included
    size_t alignment;
  };

  ArrayStorage() = default;
  void DropDetached() noexcept;
  Expected<ArrayStorage> FillFrom(Expected<ArrayStorage> made) const;

  std::byte* host_ = nullptr;
  size_t bytes_ = 0;
  size_t alignment_ = 1;
  DetachedBlock* detached_ = nullptr;
  WorkspaceRef ref_;  // empty: detached
  WorkspaceBlock block_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_ARRAY_STORAGE_H_
