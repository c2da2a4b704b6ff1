#ifndef ALLOCATORS_WORKSPACE_TYPED_ARRAY_H_
#define ALLOCATORS_WORKSPACE_TYPED_ARRAY_H_

// Arrays that know where they live and whether they still do. A handle: copies share
// the elements. As thread-safe as ArrayStorage.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "allocators/workspace/array_storage.h"
#include "allocators/workspace/workspace.h"
#include "base/error.h"

namespace plimsoll {

// Elements are not initialised unless values are given. The moves never change this
// array: they return another handle, on a copy or, where nothing had to be moved, on
// the same elements. Each first checks that the elements are still there.
template <typename T>
class TypedArray {
  static_assert(std::is_trivially_copyable_v<T>, "elements are copied as bytes");

 public:
  // In the thread's current workspace; detached when there is none (see ArrayStorage).
  static Expected<TypedArray> Create(size_t size) {
    return Made(size, [](size_t bytes) { return ArrayStorage::Create(bytes, alignof(T)); });
  }
  static Expected<TypedArray> Create(std::initializer_list<T> values) {
    Expected<TypedArray> made = Create(values.size());
    if (made) std::copy(values.begin(), values.end(), made->unchecked().begin());
    return made;
  }
  static Expected<TypedArray> CreateIn(Workspace& workspace, size_t size) {
    return Made(size, [&workspace](size_t bytes) {
      return ArrayStorage::CreateIn(workspace, bytes, alignof(T));
    });
  }
  static Expected<TypedArray> CreateDetached(size_t size) {
    return Made(size, [](size_t bytes) { return ArrayStorage::CreateDetached(bytes, alignof(T)); });
  }

  size_t size() const { return storage_.bytes() / sizeof(T); }

  // The elements, or why they are gone.
  Expected<std::span<T>> values() const {
    if (Status alive = storage_.CheckAlive(); !alive) return tl::unexpected<Error>(alive.error());
    return unchecked();
  }
  // For inner loops. REQUIRES: CheckAlive() would succeed.
  std::span<T> unchecked() const { return {reinterpret_cast<T*>(storage_.host()), size()}; }

  Status CheckAlive() const { return storage_.CheckAlive(); }
  bool attached() const { return storage_.attached(); }
  // Empty when detached.
  std::string workspace_id() const { return storage_.workspace_id(); }
  const ArrayStorage& storage() const { return storage_; }

  // A copy in `workspace`, which must be open.
  Expected<TypedArray> Attach(Workspace& workspace) const {
    return Moved(storage_.CopyTo(workspace));
  }
  Expected<TypedArray> Detach() const { return Moved(storage_.Detach()); }
  Expected<TypedArray> Leverage() const { return Moved(storage_.Leverage()); }
  Expected<TypedArray> LeverageTo(std::string_view id, bool enforce = false) const {
    return Moved(storage_.LeverageTo(id, enforce));
  }
  Expected<TypedArray> LeverageOrDetach(std::string_view id) const {
    return Moved(storage_.LeverageOrDetach(id));
  }
  Expected<TypedArray> Migrate(bool detach_when_outside = false) const {
    return Moved(storage_.Migrate(detach_when_outside));
  }

  Status ToDevice() const { return storage_.ToDevice(); }
  Status ToHost() const { return storage_.ToHost(); }

 private:
  explicit TypedArray(ArrayStorage storage) : storage_(std::move(storage)) {}

  template <typename Make>
  static Expected<TypedArray> Made(size_t size, Make make) {
    if (size > static_cast<size_t>(PTRDIFF_MAX) / sizeof(T)) {
      return Fail("array of " + std::to_string(size) + " elements of " + std::to_string(sizeof(T)) +
                  " bytes: expected at most " +
                  std::to_string(static_cast<size_t>(PTRDIFF_MAX) / sizeof(T)));
    }
    return Moved(make(size * sizeof(T)));
  }
  static Expected<TypedArray> Moved(Expected<ArrayStorage> storage) {
    if (!storage) return tl::unexpected<Error>(storage.error());
    return TypedArray(std::move(*storage));
  }

  ArrayStorage storage_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_TYPED_ARRAY_H_
