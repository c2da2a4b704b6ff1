#include "allocators/workspace/thread_scopes.h"

#include <algorithm>
#include <atomic>

namespace plimsoll {

constinit thread_local ThreadScopes thread_scopes;

uint64_t ThreadScopes::NextThreadNumber() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void ThreadScopes::Grow() {
  if (capacity_ == 0) {
    frames_ = inline_;
    capacity_ = kInline;
    return;
  }
  auto* larger = new ScopeFrame[capacity_ * 2];
  std::copy_n(frames_, size_, larger);
  if (frames_ != inline_) delete[] frames_;
  frames_ = larger;
  capacity_ *= 2;
}

void ThreadScopes::Shrink() {
  std::copy_n(frames_, size_, inline_);
  delete[] frames_;
  frames_ = inline_;
  capacity_ = kInline;
}

ScopeTarget* ThreadScopes::ParentOfCurrent() const {
  const ScopeTarget* child = current();
  if (child == nullptr) return nullptr;
  for (size_t i = 0; i < size_; ++i) {
    if (frames_[i].target == child) return i == 0 ? nullptr : frames_[i - 1].target;
  }
  return nullptr;
}

ScopeTarget* ThreadScopes::FindOpen(std::string_view id) const {
  for (size_t i = size_; i > 0; --i) {
    ScopeTarget* target = frames_[i - 1].target;
    if (target != nullptr && target->id() == id) return target;
  }
  return nullptr;
}

std::string ThreadScopes::OpenText() const {
  std::string text;
  for (size_t i = size_; i > 0; --i) {
    const ScopeTarget* target = frames_[i - 1].target;
    bool named = target == nullptr;
    for (size_t inner = i; inner < size_ && !named; ++inner) {
      named = frames_[inner].target == target;
    }
    if (named) continue;
    if (!text.empty()) text += ", ";
    text += "'" + target->id() + "'";
    if (i == size_) text += " (current)";
  }
  return text.empty() ? "none" : text;
}

std::optional<ScopeFrame> ThreadScopes::RemoveInnermost(const ScopeTarget* target) {
  for (size_t i = size_; i > 0; --i) {
    if (frames_[i - 1].target == target) return RemoveAt(i - 1);
  }
  return std::nullopt;
}

size_t ThreadScopes::RemoveAll(const ScopeTarget* target) {
  size_t removed = 0;
  while (RemoveInnermost(target)) ++removed;
  return removed;
}

}  // namespace plimsoll
