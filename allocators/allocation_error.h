#ifndef ALLOCATORS_WORKSPACE_WORKSPACE_ERROR_H_
#define ALLOCATORS_WORKSPACE_WORKSPACE_ERROR_H_

// What a workspace throws where std::pmr asks for an exception. Copies are cheap and
// do not throw; immutable, so thread-safe.

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "base/error.h"

namespace plimsoll {

class WorkspaceError : public std::bad_alloc {
 public:
  explicit WorkspaceError(Error error) : error_(std::make_shared<const Error>(std::move(error))) {}

  // One line: the workspace, its state, what was asked, what is allowed.
  const char* what() const noexcept override { return error_->message.c_str(); }

 private:
  std::shared_ptr<const Error> error_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_WORKSPACE_ERROR_H_
