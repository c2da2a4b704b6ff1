#include "harness/ledger/held.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

namespace plimsoll::ledger {

Descriptors::Change Descriptors::Opened(int descriptor, Birth birth) {
  if (descriptor < 0) return Change::kNone;
  std::atomic<uint64_t>* births = births_.Get(kCapacity);
  if (births == nullptr || descriptor >= kCapacity) return Change::kRefused;
  int end = end_.load(std::memory_order_relaxed);
  while (descriptor >= end &&
         !end_.compare_exchange_weak(end, descriptor + 1, std::memory_order_release)) {
  }
  const uint64_t packed = uint64_t{birth.site} << 32 | birth.epoch;
  const uint64_t before = births[descriptor].exchange(packed, std::memory_order_relaxed);
  return before == 0 ? Change::kAdded : Change::kReplaced;
}

bool Descriptors::Closed(int descriptor) {
  std::atomic<uint64_t>* births = births_.IfMapped();
  if (births == nullptr || descriptor < 0 || descriptor >= kCapacity) return false;
  return births[descriptor].load(std::memory_order_relaxed) != 0 &&
         births[descriptor].exchange(0, std::memory_order_relaxed) != 0;
}

uint64_t Descriptors::ClosedRange(unsigned first, unsigned last) {
  const auto end = static_cast<unsigned>(end_.load(std::memory_order_acquire));
  uint64_t closed = 0;
  for (unsigned i = first; i < end && i <= last; ++i) closed += Closed(static_cast<int>(i));
  return closed;
}

uint64_t Descriptors::RemoveClosed() {
  std::atomic<uint64_t>* births = births_.IfMapped();
  const int end = births != nullptr ? end_.load(std::memory_order_acquire) : 0;
  uint64_t removed = 0;
  for (int i = 0; i < end; ++i) {
    uint64_t packed = births[i].load(std::memory_order_relaxed);
    if (packed == 0 || fcntl(i, F_GETFD) >= 0 || errno != EBADF) continue;
    removed += births[i].compare_exchange_strong(packed, 0, std::memory_order_relaxed);
  }
  return removed;
}

size_t Mappings::FirstEndingAfter(uint64_t address) const {
  const Range* ranges = ranges_.IfMapped();
  size_t low = 0, high = count_;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (ranges[middle].end <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool Mappings::Cut(uint64_t start, uint64_t end, Change* change) {
  if (count_ == 0) return true;
  Range* ranges = ranges_.IfMapped();
  size_t i = FirstEndingAfter(start);
  if (i < count_ && ranges[i].start < start && ranges[i].end > end) {
    if (count_ == kCapacity) return false;
    memmove(&ranges[i + 1], &ranges[i], (count_ - i) * sizeof(Range));
    ++count_;
    ranges[i].end = start;
    ranges[i + 1].start = end;
    change->bytes -= static_cast<int64_t>(end - start);
    ++change->ranges;
    return true;
  }
  if (i < count_ && ranges[i].start < start) {
    change->bytes -= static_cast<int64_t>(ranges[i].end - start);
    ranges[i].end = start;
    ++i;
  }
  size_t keep = i;
  for (; keep < count_ && ranges[keep].end <= end; ++keep) {
    change->bytes -= static_cast<int64_t>(ranges[keep].end - ranges[keep].start);
    --change->ranges;
  }
  if (keep < count_ && ranges[keep].start < end) {
    change->bytes -= static_cast<int64_t>(end - ranges[keep].start);
    ranges[keep].start = end;
  }
  if (keep != i) {
    memmove(&ranges[i], &ranges[keep], (count_ - keep) * sizeof(Range));
    count_ -= keep - i;
  }
  return true;
}

bool Mappings::Add(uint64_t start, uint64_t bytes, Birth birth, Change* change) {
  bytes = (bytes + kPageBytes - 1) & ~uint64_t{kPageBytes - 1};
  Locked locked(lock_);
  Range* ranges = ranges_.Get(kCapacity);
  if (ranges == nullptr || !Cut(start, start + bytes, change) || count_ == kCapacity) return false;
  const size_t i = FirstEndingAfter(start);
  memmove(&ranges[i + 1], &ranges[i], (count_ - i) * sizeof(Range));
  ranges[i] = {start, start + bytes, birth};
  if (++count_ > most_) {
    most_ = count_;
    AddOwnBytes(sizeof(Range));
  }
  change->bytes += static_cast<int64_t>(bytes);
  ++change->ranges;
  return true;
}

bool Mappings::Remove(uint64_t start, uint64_t bytes, Change* change) {
  bytes = (bytes + kPageBytes - 1) & ~uint64_t{kPageBytes - 1};
  Locked locked(lock_);
  return Cut(start, start + bytes, change);
}

void Mappings::RemoveAt(uint64_t start, Change* change) {
  Locked locked(lock_);
  const size_t i = FirstEndingAfter(start);
  if (i < count_ && ranges_.IfMapped()[i].start == start) {
    Cut(start, ranges_.IfMapped()[i].end, change);
  }
}

uint32_t Threads::Starting(Birth birth, bool detached) {
  Locked locked(lock_);
  Slot* slots = slots_.Get(kCapacity);
  if (slots == nullptr) return kNone;
  size_t slot = 1;
  while (slot < end_ && slots[slot].birth.site != 0) ++slot;
  if (slot == kCapacity) return kNone;
  if (slot == end_) {
    ++end_;
    AddOwnBytes(sizeof(Slot));
  }
  slots[slot] = {birth, {}, false, detached, false};
  return static_cast<uint32_t>(slot);
}

void Threads::Cancelled(uint32_t slot) {
  Locked locked(lock_);
  slots_.IfMapped()[slot].birth = {};
}

void Threads::Started(uint32_t slot, pthread_t thread) {
  Locked locked(lock_);
  slots_.IfMapped()[slot].thread = thread;
  slots_.IfMapped()[slot].known = true;
}

bool Threads::Ended(uint32_t slot) {
  Locked locked(lock_);
  Slot& ended = slots_.IfMapped()[slot];
  ended.ended = true;
  if (!ended.detached || ended.birth.site == 0) return false;
  ended.birth = {};
  return true;
}

uint32_t Threads::Find(pthread_t thread) {
  Locked locked(lock_);
  const Slot* slots = slots_.IfMapped();
  for (size_t i = 1; i < end_; ++i) {
    if (slots[i].birth.site != 0 && slots[i].known && pthread_equal(slots[i].thread, thread)) {
      return static_cast<uint32_t>(i);
    }
  }
  return kNone;
}

bool Threads::Joined(uint32_t slot) {
  if (slot == kNone) return false;
  Locked locked(lock_);
  Slot& joined = slots_.IfMapped()[slot];
  const bool entered = joined.birth.site != 0;
  joined.birth = {};
  return entered;
}

bool Threads::Detached(uint32_t slot) {
  if (slot == kNone) return false;
  Locked locked(lock_);
  Slot& detached = slots_.IfMapped()[slot];
  detached.detached = true;
  if (!detached.ended || detached.birth.site == 0) return false;
  detached.birth = {};
  return true;
}

uint64_t Threads::KeepOnly(pthread_t thread) {
  Slot* slots = slots_.IfMapped();
  uint64_t gone = 0;
  for (size_t i = 1; i < end_; ++i) {
    if (slots[i].birth.site == 0 || (slots[i].known && pthread_equal(slots[i].thread, thread))) {
      continue;
    }
    slots[i].birth = {};
    ++gone;
  }
  return gone;
}

}  // namespace plimsoll::ledger
