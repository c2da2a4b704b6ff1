#ifndef ALLOCATORS_ALLOCATION_ERROR_H_
#define ALLOCATORS_ALLOCATION_ERROR_H_

// What an allocator throws where std::pmr asks for an exception: a std::bad_alloc that
// says why. Copies are cheap and do not throw; immutable, so thread-safe.

#include <memory>
#include <new>
#include <utility>

#include "base/error.h"

namespace plimsoll {

class AllocationError : public std::bad_alloc {
 public:
  explicit AllocationError(Error error) : error_(std::make_shared<const Error>(std::move(error))) {}

  // One line: who refused, its state, what was asked, what is allowed.
  const char* what() const noexcept override { return error_->message.c_str(); }

 private:
  std::shared_ptr<const Error> error_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_ALLOCATION_ERROR_H_
