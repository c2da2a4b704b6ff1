#ifndef ALLOCATORS_WORKSPACE_SCOPE_H_
#define ALLOCATORS_WORKSPACE_SCOPE_H_

// Scopes as values: what they opened they close, on return, break or exception. A
// scope belongs to the thread that opened it.

#include <cstdint>
#include <utility>

#include "allocators/workspace/thread_scopes.h"
#include "base/error.h"

namespace plimsoll {

// One opening of a workspace: entered, or borrowed. Made by the workspace.
class [[nodiscard]] WorkspaceScope {
 public:
  WorkspaceScope(uint64_t thread, uint64_t serial) : thread_(thread), serial_(serial) {}
  WorkspaceScope(WorkspaceScope&& other) noexcept
      : thread_(other.thread_), serial_(std::exchange(other.serial_, 0)) {}
  WorkspaceScope& operator=(WorkspaceScope&& other) noexcept;
  // Closes. Aborts on a foreign thread: this thread's stack of scopes is not ours.
  ~WorkspaceScope() {
    if (serial_ != 0) CloseAtEnd();
  }

  // Takes this opening out of the thread's stack, wherever it stands in it: what was
  // opened later stays open and current, and a workspace closed before is never current
  // again. The workspace's cycle ends with its last opening. Closing twice is closing
  // once. Error: a foreign thread.
  Status Close();

 private:
  void CloseAtEnd() noexcept;

  uint64_t thread_;
  uint64_t serial_;  // 0: closed, or moved from
};

// While it lives, no workspace is current on this thread: what is allocated is outside.
class [[nodiscard]] OutsideScope {
 public:
  OutsideScope();

  // Restores what was current. Closing twice is closing once. Error: a foreign thread.
  Status Close() { return scope_.Close(); }

 private:
  WorkspaceScope scope_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_SCOPE_H_
