#ifndef ALLOCATORS_WORKSPACE_TEST_SUPPORT_H_
#define ALLOCATORS_WORKSPACE_TEST_SUPPORT_H_

// What the tests of workspaces share. CountingResource is thread-safe, the rest is as
// thread-safe as what it is given.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "allocators/workspace/configuration.h"
#include "allocators/workspace/poison.h"
#include "allocators/workspace/workspace.h"
#include "base/error.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLIMSOLL_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define PLIMSOLL_TSAN 1
#endif

namespace plimsoll {

// The one place where tests shrink under sanitizers and in unoptimised builds.
constexpr uint64_t Scaled(uint64_t count) {
#if defined(PLIMSOLL_TSAN)
  return count / 100;
#elif defined(PLIMSOLL_ASAN) || !defined(NDEBUG)
  return count / 20;
#else
  return count;
#endif
}

// The value, or a test failure with the error and an end of the test.
template <typename T>
T Must(Expected<T> value) {
  if (!value) throw std::runtime_error("unexpected error: " + value.error().message);
  return std::move(*value);
}
inline void Must(Status status) {
  if (!status) throw std::runtime_error("unexpected error: " + status.error().message);
}

// The error's message; "no error" when there is none.
template <typename T>
std::string ErrorOf(const Expected<T>& value) {
  return value ? "no error" : value.error().message;
}

inline std::unique_ptr<Workspace> MakeWorkspace(const WorkspaceConfigurationBuilder& builder,
                                                std::string id = "WS",
                                                const WorkspaceOptions& options = {}) {
  return Must(Workspace::Create(Must(builder.Build()), std::move(id), options));
}

// Counts what is out, and fails the test when a block comes back with another size or
// alignment, twice, or from somewhere else.
class CountingResource final : public std::pmr::memory_resource {
 public:
  ~CountingResource() override { EXPECT_EQ(live_bytes(), 0u) << "bytes never given back"; }

  uint64_t live_bytes() const {
    const std::lock_guard lock(mutex_);
    return live_bytes_;
  }
  uint64_t peak_bytes() const {
    const std::lock_guard lock(mutex_);
    return peak_bytes_;
  }
  uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  // From now on, blocks of more than `bytes` bytes are refused.
  void RefuseAbove(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    largest_ = bytes;
  }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    const std::lock_guard lock(mutex_);
    if (bytes > largest_) throw std::bad_alloc();
    void* pointer = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    blocks_[pointer] = {bytes, alignment};
    live_bytes_ += bytes;
    peak_bytes_ = std::max(peak_bytes_, live_bytes_);
    ++calls_;
    return pointer;
  }
  void do_deallocate(void* pointer, size_t bytes, size_t alignment) override {
    const std::lock_guard lock(mutex_);
    const auto block = blocks_.find(pointer);
    if (block == blocks_.end()) {
      ADD_FAILURE() << "a block that is not out came back";
      return;
    }
    EXPECT_EQ(block->second, std::make_pair(bytes, alignment));
    live_bytes_ -= block->second.first;
    blocks_.erase(block);
    std::pmr::new_delete_resource()->deallocate(pointer, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  mutable std::mutex mutex_;
  std::map<void*, std::pair<size_t, size_t>> blocks_;
  uint64_t live_bytes_ = 0;
  uint64_t peak_bytes_ = 0;
  uint64_t calls_ = 0;
  uint64_t largest_ = UINT64_MAX;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_TEST_SUPPORT_H_
