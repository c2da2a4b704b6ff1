#ifndef ALLOCATORS_WORKSPACE_WORKSPACE_REF_H_
#define ALLOCATORS_WORKSPACE_WORKSPACE_REF_H_

// A weak reference to a workspace that costs nothing to copy: it tells whether the
// workspace still lives, and what it was called. All functions are thread-safe; what
// Live() returns may be used on the workspace's own thread only.

#include <atomic>
#include <cstdint>
#include <string>

#include "allocators/workspace/thread_scopes.h"

namespace plimsoll {

// Where one workspace at a time registers. Slots are reused, never freed: there are as
// many as workspaces lived at once, and a few more.
struct WorkspaceSlot {
  std::atomic<uint64_t> serial{0};  // of the workspace that lives here; 0: none
  std::atomic<ScopeTarget*> target{nullptr};
  std::atomic<uint64_t> owner{0};  // thread number
  // Guarded by the table's mutex: whose it is or was last, and the queue of free slots.
  uint64_t last_serial = 0;
  std::string last_id;
  WorkspaceSlot* next_free = nullptr;
};

class WorkspaceRef {
 public:
  WorkspaceRef() = default;

  bool empty() const { return slot_ == nullptr; }
  bool live() const {
    return slot_ != nullptr && slot_->serial.load(std::memory_order_acquire) == serial_;
  }
  // Null when it is gone.
  ScopeTarget* Live() const { return live() ? slot_->target.load() : nullptr; }
  // Of the workspace's thread; 0 when it is gone.
  uint64_t owner() const { return live() ? slot_->owner.load() : 0; }
  // The id that it has, or had as long as nobody else took its slot; "?" otherwise.
  std::string Id() const;

  friend bool operator==(const WorkspaceRef&, const WorkspaceRef&) = default;

 private:
  friend class WorkspaceRegistration;
  WorkspaceRef(WorkspaceSlot* slot, uint64_t serial) : slot_(slot), serial_(serial) {}

  WorkspaceSlot* slot_ = nullptr;
  uint64_t serial_ = 0;
};

// Held by a workspace from its first to its last moment.
class WorkspaceRegistration {
 public:
  WorkspaceRegistration(ScopeTarget* target, uint64_t owner);
  WorkspaceRegistration(const WorkspaceRegistration&) = delete;
  WorkspaceRegistration& operator=(const WorkspaceRegistration&) = delete;
  ~WorkspaceRegistration();

  const WorkspaceRef& ref() const { return ref_; }

 private:
  WorkspaceRef ref_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_WORKSPACE_REF_H_
