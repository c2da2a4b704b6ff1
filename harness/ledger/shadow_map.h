#ifndef HARNESS_LEDGER_SHADOW_MAP_H_
#define HARNESS_LEDGER_SHADOW_MAP_H_

// A record for every block of an address space: who asked for it, when, and how much.
//
// Thread-safety: Put and Take may run at the same time for different blocks, and ForEach
// beside them (it sees each record that lives throughout the walk). A block's record is
// written by its owner alone, which is what lets both be plain stores.
//
// An 8-byte entry shadows each 16 bytes: two loads find it. Blocks of 16 MiB and more
// keep their size, and blocks off the 16-byte grid their whole record, in a locked table.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/own_memory.h"

namespace plimsoll::ledger {

struct Record {
  uint32_t site = 0;   // 20 bits, never 0
  uint32_t epoch = 0;  // 20 bits
  uint64_t size = 0;
};

// Address -> record under one lock, for the few blocks that an entry cannot hold. Grows
// with what is put in.
class OddBlocks {
 public:
  static constexpr size_t kMaximum = size_t{1} << 18;
  bool Put(uint64_t address, const Record& record);  // false: full
  bool Take(uint64_t address, Record* record);
  bool Find(uint64_t address, Record* record);
  template <typename Visit>
  void ForEach(Visit visit) {
    Locked locked(lock_);
    for (size_t i = 0; used_ != 0 && i < slot_count_; ++i) {
      if (slots_[i].address != 0) visit(slots_[i].record);
    }
  }
  SpinLock& lock() { return lock_; }

 private:
  struct Slot {
    uint64_t address;  // 0: free
    Record record;
  };
  // Where the address stands, or would stand.
  size_t Place(uint64_t address) const;
  size_t Home(uint64_t address) const {
    return static_cast<size_t>(address * 0x9E3779B97F4A7C15u >> 32) & (slot_count_ - 1);
  }
  bool Grow();

  SpinLock lock_;
  Slot* slots_ = nullptr;
  size_t slot_count_ = 0;  // a power of two, at least twice used_
  size_t used_ = 0;
};

class ShadowMap {
 public:
  static constexpr uint64_t kLongSize = (uint64_t{1} << 24) - 1;  // "see the odd blocks"

  // False when memory for the record was refused; the block is then not entered.
  bool Put(const void* block, const Record& record) {
    const auto address = reinterpret_cast<uint64_t>(block);
    if (__builtin_expect((address & 15) != 0 || address >> kAddressBits != 0, 0)) {
      return odd_.Put(address, record);
    }
    Leaf* leaf = FindLeaf(address);
    if (__builtin_expect(leaf == nullptr, 0)) {
      leaf = AddLeaf(address);
      if (leaf == nullptr) return false;
    }
    uint64_t size = record.size;
    if (__builtin_expect(size >= kLongSize, 0)) {
      if (!odd_.Put(address, record)) return false;
      size = kLongSize;
    }
    const size_t index = (address & (kLeafSpan - 1)) >> 4;
    std::atomic<uint8_t>& touched = leaf->touched[index / kEntriesPerPage];
    if (__builtin_expect(touched.load(std::memory_order_relaxed) == 0, 0) &&
        touched.exchange(1, std::memory_order_relaxed) == 0) {
      AddOwnBytes(kPageBytes);
    }
    leaf->entries[index].store(Pack(record.site, record.epoch, size), std::memory_order_relaxed);
    return true;
  }

  // Removes and returns the block's record; false when it has none.
  bool Take(const void* block, Record* record) {
    const auto address = reinterpret_cast<uint64_t>(block);
    if (__builtin_expect((address & 15) != 0 || address >> kAddressBits != 0, 0)) {
      return odd_.Take(address, record);
    }
    Leaf* leaf = FindLeaf(address);
    if (leaf == nullptr) return false;
    std::atomic<uint64_t>& entry = leaf->entries[(address & (kLeafSpan - 1)) >> 4];
    const uint64_t packed = entry.load(std::memory_order_relaxed);
    if (packed == 0) return false;
    entry.store(0, std::memory_order_relaxed);
    *record = Unpack(packed);
    if (__builtin_expect(record->size == kLongSize, 0)) odd_.Take(address, record);
    return true;
  }

  bool Contains(const void* block) {
    const auto address = reinterpret_cast<uint64_t>(block);
    Record record;
    if ((address & 15) != 0 || address >> kAddressBits != 0) return odd_.Find(address, &record);
    Leaf* leaf = FindLeaf(address);
    return leaf != nullptr &&
           leaf->entries[(address & (kLeafSpan - 1)) >> 4].load(std::memory_order_relaxed) != 0;
  }

  // Calls visit(const Record&) for each live record.
  template <typename Visit>
  void ForEach(Visit visit) {
    Leaf* const* leaves = leaves_.IfMapped();
    const size_t count = leaves != nullptr ? leaf_count_.load(std::memory_order_acquire) : 0;
    for (size_t i = 0; i < count; ++i) {
      const Leaf* leaf = leaves[i];
      for (size_t page = 0; page < kPagesPerLeaf; ++page) {
        if (leaf->touched[page].load(std::memory_order_relaxed) == 0) continue;
        const std::atomic<uint64_t>* entry = &leaf->entries[page * kEntriesPerPage];
        for (size_t j = 0; j < kEntriesPerPage; ++j) {
          const uint64_t packed = entry[j].load(std::memory_order_relaxed);
          // Long blocks are visited where their size stands, below.
          if (packed != 0 && (packed & kLongSize) != kLongSize) visit(Unpack(packed));
        }
      }
    }
    odd_.ForEach(visit);
  }

  // Held over fork, so that the child's copy is whole.
  void LockForFork() {
    lock_.Lock();
    odd_.lock().Lock();
  }
  void UnlockAfterFork() {
    odd_.lock().Unlock();
    lock_.Unlock();
  }

 private:
  static constexpr int kAddressBits = 47;
  static constexpr uint64_t kLeafSpan = uint64_t{1} << 26;
  static constexpr size_t kTopEntries = size_t{1} << (kAddressBits - 26);
  static constexpr size_t kEntriesPerLeaf = kLeafSpan / 16;
  static constexpr size_t kEntriesPerPage = kPageBytes / sizeof(uint64_t);
  static constexpr size_t kPagesPerLeaf = kEntriesPerLeaf / kEntriesPerPage;
  static constexpr size_t kMaximumLeaves = size_t{1} << 16;  // 4 TiB of blocks

  struct Leaf {
    std::atomic<uint8_t> touched[kPagesPerLeaf];
    std::atomic<uint64_t> entries[kEntriesPerLeaf];
  };

  static uint64_t Pack(uint32_t site, uint32_t epoch, uint64_t size) {
    return uint64_t{site} << 44 | uint64_t{epoch} << 24 | size;
  }
  static Record Unpack(uint64_t packed) {
    return {.site = static_cast<uint32_t>(packed >> 44),
            .epoch = static_cast<uint32_t>(packed >> 24) & 0xFFFFF,
            .size = packed & kLongSize};
  }

  Leaf* FindLeaf(uint64_t address) {
    std::atomic<Leaf*>* top = top_.IfMapped();
    return top != nullptr ? top[address >> 26].load(std::memory_order_acquire) : nullptr;
  }
  Leaf* AddLeaf(uint64_t address);

  OwnArray<std::atomic<Leaf*>> top_;
  OwnArray<Leaf*> leaves_;
  std::atomic<size_t> leaf_count_{0};
  SpinLock lock_;
  OddBlocks odd_;
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_SHADOW_MAP_H_
