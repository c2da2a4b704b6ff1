#include "allocators/workspace/scope.h"

#include <optional>
#include <string>

#include "base/check.h"

namespace plimsoll {

WorkspaceScope& WorkspaceScope::operator=(WorkspaceScope&& other) noexcept {
  if (this != &other) {
    if (serial_ != 0) CloseAtEnd();
    thread_ = other.thread_;
    serial_ = std::exchange(other.serial_, 0);
  }
  return *this;
}

Status WorkspaceScope::Close() {
  if (serial_ == 0) return {};
  ThreadScopes& scopes = ThreadScopes::Here();
  if (scopes.OwnNumber() != thread_) {
    return Fail("workspace scope: closed on thread " + std::to_string(scopes.number()) +
                ", opened on thread " + std::to_string(thread_) +
                ": a scope is closed where it was opened");
  }
  // Gone already when the workspace was closed by hand, or destroyed.
  const std::optional<ScopeFrame> frame = scopes.Remove(std::exchange(serial_, 0));
  if (frame && frame->target != nullptr) frame->target->ScopeLeft(frame->kind);
  return {};
}

void WorkspaceScope::CloseAtEnd() noexcept {
  PLIMSOLL_CHECK(ThreadScopes::Here().number() == thread_,
                 "a workspace scope ended on a thread that did not open it");
  static_cast<void>(Close().has_value());
}

OutsideScope::OutsideScope()
    : scope_(ThreadScopes::Here().OwnNumber(),
             ThreadScopes::Here().Push(nullptr, ScopeKind::kOutside)) {}

}  // namespace plimsoll
