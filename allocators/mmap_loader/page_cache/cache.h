#ifndef ALLOCATORS_MMAP_LOADER_PAGE_CACHE_CACHE_H_
#define ALLOCATORS_MMAP_LOADER_PAGE_CACHE_CACHE_H_

// Values that live as long as someone holds them, found again by key meanwhile. The entry
// goes with the value, so no dead keys gather. Thread-safe; values may outlive the cache.

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"

namespace plimsoll::weights {

template <typename Key, typename Value>
class SharedCache {
 public:
  using Pointer = std::shared_ptr<Value>;

  // The value of `key`, or null.
  Pointer Find(const Key& key) const {
    const std::lock_guard lock(state_->mutex);
    const auto entry = state_->entries.find(key);
    return entry == state_->entries.end() ? nullptr : entry->second.lock();
  }

  // The value of `key`, made by `make` (an Expected<std::unique_ptr<Value>>()) when there
  // is none. Only one thread at a time makes one, so a key never has two. A value that
  // `usable` refuses is replaced, and lives on for those who hold it.
  template <typename Make, typename Usable>
  Expected<Pointer> FindOrMake(const Key& key, Make&& make, Usable&& usable, bool& found) {
    // Declared before the lock, for the deleter of a value locks too: what may be the last
    // pointer to one must go after the lock is released.
    Pointer old_value;
    Pointer value;
    const std::lock_guard lock(state_->mutex);
    const auto entry = state_->entries.find(key);
    if (entry != state_->entries.end()) {
      old_value = entry->second.lock();
      if (old_value != nullptr && usable(*old_value)) {
        found = true;
        return old_value;
      }
    }
    found = false;
    auto made = make();
    if (!made) return tl::unexpected(made.error());
    const std::weak_ptr<State> weak_state = state_;
    value = Pointer(made->release(), [weak_state, key](Value* dead) {
      if (const std::shared_ptr<State> state = weak_state.lock()) {
        const std::lock_guard deleter_lock(state->mutex);
        const auto old = state->entries.find(key);
        // The entry may belong to a younger value by now.
        if (old != state->entries.end() && old->second.expired()) state->entries.erase(old);
      }
      delete dead;
    });
    state_->entries[key] = value;
    return value;
  }

  size_t size() const {
    const std::lock_guard lock(state_->mutex);
    return state_->entries.size();
  }

  // Calls `look(value)` for each live value; new ones wait meanwhile.
  template <typename Look>
  void ForEach(Look&& look) const {
    std::vector<Pointer> values;
    {
      const std::lock_guard lock(state_->mutex);
      for (const auto& [key, weak] : state_->entries) {
        if (Pointer value = weak.lock()) values.push_back(std::move(value));
      }
    }
    for (const Pointer& value : values) look(*value);
  }

 private:
  struct State {
    std::mutex mutex;
    std::map<Key, std::weak_ptr<Value>> entries;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_PAGE_CACHE_CACHE_H_
