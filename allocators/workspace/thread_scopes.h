#ifndef ALLOCATORS_WORKSPACE_THREAD_SCOPES_H_
#define ALLOCATORS_WORKSPACE_THREAD_SCOPES_H_

// The scopes that this thread has open, innermost last, and so the workspace that is
// current. One object per thread, used by that thread alone.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace plimsoll {

enum class ScopeKind : uint8_t {
  kEntered,
  kBorrowed,
  kOutside,  // all workspaces left for a while
};

// What a scope is open on: a workspace, seen from below.
class ScopeTarget {
 public:
  explicit ScopeTarget(std::string id) : id_(std::move(id)) {}
  ScopeTarget(const ScopeTarget&) = delete;
  ScopeTarget& operator=(const ScopeTarget&) = delete;

  const std::string& id() const { return id_; }

  // One of its scopes has just left the thread's stack.
  virtual void ScopeLeft(ScopeKind kind) = 0;

 protected:
  ~ScopeTarget() = default;

 private:
  const std::string id_;
};

struct ScopeFrame {
  ScopeTarget* target;  // null: outside
  uint64_t serial;      // names the frame for as long as the thread runs
  ScopeKind kind;
};

// Constant-initialised and trivially destructible, so that reaching it costs no guard.
class ThreadScopes {
 public:
  constexpr ThreadScopes() = default;
  ThreadScopes(const ThreadScopes&) = delete;
  ThreadScopes& operator=(const ThreadScopes&) = delete;

  static ThreadScopes& Here();

  // 0 until the thread has asked for its number by OwnNumber(); never used twice.
  uint64_t number() const { return number_; }
  uint64_t OwnNumber() {
    if (number_ == 0) number_ = NextThreadNumber();
    return number_;
  }

  // What the innermost scope is open on; null when outside of all.
  ScopeTarget* current() const { return size_ == 0 ? nullptr : frames_[size_ - 1].target; }

  // What lies under the outermost scope of the current one; null when nothing.
  ScopeTarget* ParentOfCurrent() const;

  // An open one of that id; the innermost when managers share ids. Null: none.
  ScopeTarget* FindOpen(std::string_view id) const;

  // "'B' (current), 'A'", innermost first, each once; "none".
  std::string OpenText() const;

  size_t depth() const { return size_; }

  // The new frame's serial.
  uint64_t Push(ScopeTarget* target, ScopeKind kind) {
    if (size_ == capacity_) Grow();
    frames_[size_++] = {target, ++last_serial_, kind};
    return last_serial_;
  }
  // Takes the frame out, wherever it stands; nothing when it is already gone.
  std::optional<ScopeFrame> Remove(uint64_t serial) {
    for (size_t i = size_; i > 0; --i) {
      if (frames_[i - 1].serial == serial) return RemoveAt(i - 1);
    }
    return std::nullopt;
  }
  // Takes out the innermost frame of `target`; nothing when there is none.
  std::optional<ScopeFrame> RemoveInnermost(const ScopeTarget* target);
  // Takes out every frame of `target`, which is going away. Returns how many.
  size_t RemoveAll(const ScopeTarget* target);

 private:
  static constexpr size_t kInline = 24;

  static uint64_t NextThreadNumber();
  ScopeFrame RemoveAt(size_t index) {
    const ScopeFrame frame = frames_[index];
    --size_;
    for (size_t i = index; i < size_; ++i) frames_[i] = frames_[i + 1];
    if (capacity_ > kInline && size_ <= kInline / 2) Shrink();
    return frame;
  }
  void Grow();
  void Shrink();

  uint64_t number_ = 0;
  uint64_t last_serial_ = 0;
  size_t size_ = 0;
  size_t capacity_ = 0;           // 0: frames_ not set up yet
  ScopeFrame* frames_ = nullptr;  // inline_, or from new[] while nested deeper than that
  ScopeFrame inline_[kInline] = {};
};

extern constinit thread_local ThreadScopes thread_scopes;

inline ThreadScopes& ThreadScopes::Here() { return thread_scopes; }

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_THREAD_SCOPES_H_
