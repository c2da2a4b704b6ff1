#include "allocators/memory_limit/reclaim.h"

#include <malloc.h>

#include <utility>

#include "allocators/memory_limit/anonymous_memory.h"

namespace plimsoll {
namespace {

thread_local bool inside_hook = false;

}  // namespace

struct ReclaimHooks::Entry {
  std::string name;
  // Recursive, so that a hook may end its own registration.
  std::recursive_mutex mutex;
  Hook hook;
  bool removed = false;
};

ReclaimHooks::Registration& ReclaimHooks::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    Remove();
    entry_ = std::move(other.entry_);
  }
  return *this;
}

void ReclaimHooks::Registration::Remove() noexcept {
  if (entry_ == nullptr) return;
  {
    const std::lock_guard lock(entry_->mutex);
    entry_->removed = true;
  }
  entry_.reset();
}

ReclaimHooks::Registration ReclaimHooks::Add(std::string name, Hook hook) {
  auto entry = std::make_shared<Entry>();
  entry->name = std::move(name);
  entry->hook = std::move(hook);
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const std::weak_ptr<Entry>& known) { return known.expired(); });
  entries_.push_back(entry);
  return Registration(std::move(entry));
}

std::vector<ReclaimHooks::Yield> ReclaimHooks::Run(uint64_t wanted,
                                                   const std::function<bool()>& enough) {
  std::vector<Yield> yields;
  if (inside_hook) return yields;
  std::vector<std::weak_ptr<Entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries = entries_;
  }
  for (const std::weak_ptr<Entry>& known : entries) {
    const std::shared_ptr<Entry> entry = known.lock();
    if (entry == nullptr) continue;
    {
      const std::lock_guard lock(entry->mutex);
      if (entry->removed) continue;
      inside_hook = true;
      const uint64_t bytes = entry->hook(wanted);
      inside_hook = false;
      yields.push_back({entry->name, bytes});
    }
    if (enough()) break;
  }
  return yields;
}

ReclaimHooks::Hook TrimMallocHook() {
  return [](uint64_t) -> uint64_t {
    ProcAnonymousMemory memory;
    const Expected<uint64_t> before = memory.Exact();
    ::malloc_trim(0);
    const Expected<uint64_t> after = memory.Exact();
    return before && after && *before > *after ? *before - *after : 0;
  };
}

}  // namespace plimsoll
