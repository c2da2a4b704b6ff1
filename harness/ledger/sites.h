#ifndef HARNESS_LEDGER_SITES_H_
#define HARNESS_LEDGER_SITES_H_

// Small numbers for the places that allocate: a site is a kind of resource and one return
// address (counting mode) or a whole call stack.
//
// Thread-safety: every function may be called from any thread. Looking up a known site
// takes no lock. A site keeps its number when its module is unloaded and loaded again.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/modules.h"
#include "harness/ledger/own_memory.h"
#include "harness/sample.h"

namespace plimsoll::ledger {

class Sites {
 public:
  static constexpr uint32_t kMaximum = (uint32_t{1} << 20) - 1;
  static constexpr uint32_t kNone = 0;  // the table is full: the block cannot be entered

  uint32_t ForCaller(ResourceKind kind, const void* return_address) {
    const auto address = reinterpret_cast<uint64_t>(return_address);
    const uint64_t key = address | uint64_t{static_cast<uint8_t>(kind)} << 56;
    const uint32_t site = Lookup(key);
    return __builtin_expect(site != kNone, 1) ? site : Add(key, kind, &address, 1);
  }

  uint32_t ForStack(ResourceKind kind, const uint64_t* addresses, size_t count, uint64_t hash) {
    const uint64_t mixed = hash + static_cast<uint8_t>(kind) * 0x9E3779B97F4A7C15u;
    const uint64_t key = (mixed & ~kKeyTags) | kStackKey;
    const uint32_t site = Lookup(key);
    return __builtin_expect(site != kNone, 1) ? site : Add(key, kind, addresses, count);
  }

  // Sites are 1 .. Count().
  uint32_t Count() const { return count_.load(std::memory_order_acquire); }
  bool Overflowed() const { return overflowed_.load(std::memory_order_relaxed); }
  ResourceKind Kind(uint32_t site) const { return records_.IfMapped()[site].kind; }
  size_t Frames(uint32_t site, uint64_t* addresses, size_t capacity);

  // Calls visit(const Module&) for every module, under the lock.
  template <typename Visit>
  size_t ForEachModule(Visit visit) {
    Locked locked(lock_);
    for (size_t i = 1; i < modules_.count(); ++i) visit(modules_[i]);
    return modules_.count() - 1;
  }

  // After a dlclose: addresses of modules that went no longer mean what they meant.
  void ForgetUnloaded();

  SpinLock& lock() { return lock_; }  // held over fork

 private:
  // Keys: an address with its kind in bits 56-58; a hash of addresses; a hash of
  // (module, offset) pairs, which finds the site of code that was loaded elsewhere before.
  static constexpr uint64_t kModuleKey = uint64_t{1} << 63;
  static constexpr uint64_t kStackKey = uint64_t{1} << 62;
  static constexpr uint64_t kKeyTags = kModuleKey | kStackKey;
  static constexpr uint64_t kForgotten = 1;  // an entry whose key went

  struct Entry {
    std::atomic<uint64_t> key;
    std::atomic<uint32_t> site;
  };
  struct Table {
    uint64_t size;  // power of two
    int shift;
    uint64_t used;  // entries with a key, kForgotten included
    Entry entries[];
  };
  struct SiteRecord {
    uint64_t first_frame;
    uint32_t frames;
    ResourceKind kind;
  };
  static constexpr size_t kFramePool = size_t{1} << 25;

  static uint64_t Home(const Table& table, uint64_t key) {
    return (key * 0x9E3779B97F4A7C15u) >> table.shift;
  }

  uint32_t Lookup(uint64_t key) const {
    const Table* table = table_.load(std::memory_order_acquire);
    if (__builtin_expect(table == nullptr, 0)) return kNone;
    for (uint64_t i = Home(*table, key);; i = (i + 1) & (table->size - 1)) {
      const Entry& entry = table->entries[i];
      const uint64_t found = entry.key.load(std::memory_order_acquire);
      if (found == key) return entry.site.load(std::memory_order_relaxed);
      if (found == 0) return kNone;
    }
  }

  uint32_t Add(uint64_t key, ResourceKind kind, const uint64_t* addresses, size_t count);
  uint32_t Create(ResourceKind kind, const uint64_t* packed, size_t count);
  bool Insert(uint64_t key, uint32_t site);
  bool Grow();

  std::atomic<Table*> table_{nullptr};
  std::atomic<uint32_t> count_{0};
  std::atomic<bool> overflowed_{false};
  SpinLock lock_;
  OwnArray<SiteRecord> records_;
  OwnArray<uint64_t> frames_;
  size_t frames_used_ = 0;
  ModuleTable modules_;
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_SITES_H_
