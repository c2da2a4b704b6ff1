#ifndef HARNESS_LEDGER_HELD_H_
#define HARNESS_LEDGER_HELD_H_

// What a process holds besides heap blocks: descriptors, mappings, threads. Each table
// says who asked for an item and when.
//
// Thread-safety: every function may be called from any thread. The tables count nothing;
// functions return what they added or removed, so that the caller can.

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/own_memory.h"

namespace plimsoll::ledger {

// Where an item was born. Site 0: no item.
struct Birth {
  uint32_t site = 0;
  uint32_t epoch = 0;
};

class Descriptors {
 public:
  static constexpr int kCapacity = 1 << 18;

  enum class Change : uint8_t { kNone, kAdded, kReplaced, kRefused };
  // A descriptor that is entered already was closed where nobody saw it: replaced.
  Change Opened(int descriptor, Birth birth);
  // True when it was entered.
  bool Closed(int descriptor);
  // Closes [first, last]; returns how many were entered.
  uint64_t ClosedRange(unsigned first, unsigned last);

  // Takes out what the kernel says is not open: it was closed where nobody saw it. Returns
  // how many. One system call for each that is entered.
  uint64_t RemoveClosed();

  template <typename Visit>
  void ForEach(Visit visit) const {
    const std::atomic<uint64_t>* births = births_.IfMapped();
    const int end = births != nullptr ? end_.load(std::memory_order_acquire) : 0;
    for (int i = 0; i < end; ++i) {
      const uint64_t packed = births[i].load(std::memory_order_relaxed);
      if (packed != 0) visit(i, Unpack(packed));
    }
  }

 private:
  static Birth Unpack(uint64_t packed) {
    return {static_cast<uint32_t>(packed >> 32), static_cast<uint32_t>(packed)};
  }
  OwnArray<std::atomic<uint64_t>> births_;
  std::atomic<int> end_{0};  // one past the highest descriptor ever entered
};

// Mapped address ranges, disjoint and in order.
class Mappings {
 public:
  static constexpr size_t kCapacity = size_t{1} << 18;

  struct Change {
    int64_t bytes = 0;
    int64_t ranges = 0;
  };
  // Whole pages; whatever was entered there before is replaced. False: full.
  bool Add(uint64_t start, uint64_t bytes, Birth birth, Change* change);
  // Cuts [start, start + bytes) out. False: an inner cut needed room that is not there.
  bool Remove(uint64_t start, uint64_t bytes, Change* change);
  // Removes the one range that starts there.
  void RemoveAt(uint64_t start, Change* change);

  template <typename Visit>
  void ForEach(Visit visit) {
    Locked locked(lock_);
    const Range* ranges = ranges_.IfMapped();
    for (size_t i = 0; i < count_; ++i) visit(ranges[i].end - ranges[i].start, ranges[i].birth);
  }
  bool Empty() const { return count_ == 0; }
  SpinLock& lock() { return lock_; }

 private:
  struct Range {
    uint64_t start, end;
    Birth birth;
  };
  size_t FirstEndingAfter(uint64_t address) const;
  bool Cut(uint64_t start, uint64_t end, Change* change);

  SpinLock lock_;
  OwnArray<Range> ranges_;
  size_t count_ = 0;
  size_t most_ = 0;
};

// Threads from the call that starts one until it is joined, or has ended detached.
class Threads {
 public:
  static constexpr size_t kCapacity = size_t{1} << 15;
  static constexpr uint32_t kNone = 0;  // not entered

  // A slot for a thread about to start; kNone when full.
  uint32_t Starting(Birth birth, bool detached);
  // pthread_create failed.
  void Cancelled(uint32_t slot);
  // By the thread itself, or by who started it: whichever comes first.
  void Started(uint32_t slot, pthread_t thread);
  // By the thread, at its end. True when nothing is left to join.
  bool Ended(uint32_t slot);
  // The slot of a running or unjoined thread.
  uint32_t Find(pthread_t thread);
  // After a successful join of that slot.
  bool Joined(uint32_t slot);
  // True when it has ended already, so that nothing is left.
  bool Detached(uint32_t slot);
  // In a forked child only the calling thread is left: returns how many went.
  uint64_t KeepOnly(pthread_t thread);

  template <typename Visit>
  void ForEach(Visit visit) {
    Locked locked(lock_);
    const Slot* slots = slots_.IfMapped();
    for (size_t i = 1; i < end_; ++i) {
      if (slots[i].birth.site != 0) visit(slots[i].birth);
    }
  }
  SpinLock& lock() { return lock_; }

 private:
  struct Slot {
    Birth birth;  // site 0: free
    pthread_t thread;
    bool known, detached, ended;
  };
  SpinLock lock_;
  OwnArray<Slot> slots_;
  size_t end_ = 1;
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_HELD_H_
