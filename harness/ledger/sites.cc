#include "harness/ledger/sites.h"

#include "harness/ledger/ledger.h"

namespace plimsoll::ledger {

size_t Sites::Frames(uint32_t site, uint64_t* addresses, size_t capacity) {
  if (site == kNone || site > Count()) return 0;
  Locked locked(lock_);
  const SiteRecord& record = records_.IfMapped()[site];
  const uint64_t* packed = frames_.IfMapped() + record.first_frame;
  for (size_t i = 0; i < record.frames && i < capacity; ++i)
    addresses[i] = modules_.Shown(packed[i]);
  return record.frames;
}

void Sites::ForgetUnloaded() {
  Locked locked(lock_);
  Table* table = table_.load(std::memory_order_relaxed);
  if (table == nullptr) return;
  modules_.FindUnloaded([&](uint64_t start, uint64_t end) {
    for (uint64_t i = 0; i < table->size; ++i) {
      const uint64_t key = table->entries[i].key.load(std::memory_order_relaxed);
      if (key <= kForgotten || (key & kModuleKey) != 0) continue;
      const uint64_t address = key & ((uint64_t{1} << 56) - 1);
      // A stack's hash does not tell its addresses: look it up anew by module.
      if ((key & kStackKey) != 0 || (address >= start && address < end)) {
        table->entries[i].key.store(kForgotten, std::memory_order_release);
      }
    }
  });
}

uint32_t Sites::Add(uint64_t key, ResourceKind kind, const uint64_t* addresses, size_t count) {
  Locked locked(lock_);
  if (const uint32_t site = Lookup(key); site != kNone) return site;
  if (count > kMaximumFrames) count = kMaximumFrames;
  uint64_t packed[kMaximumFrames];
  uint64_t hash = static_cast<uint8_t>(kind) + 1;
  for (size_t i = 0; i < count; ++i) {
    packed[i] = modules_.Pack(addresses[i]);
    hash = (hash ^ packed[i]) * 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 32;
  }
  const uint64_t module_key = hash | kModuleKey;
  uint32_t site = Lookup(module_key);
  if (site == kNone) {
    site = Create(kind, packed, count);
    if (site == kNone || !Insert(module_key, site)) {
      overflowed_.store(true, std::memory_order_relaxed);
      return kNone;
    }
  }
  Insert(key, site);
  return site;
}

uint32_t Sites::Create(ResourceKind kind, const uint64_t* packed, size_t count) {
  SiteRecord* records = records_.Get(kMaximum + size_t{1});
  uint64_t* frames = frames_.Get(kFramePool);
  const uint32_t site = Count() + 1;
  if (records == nullptr || frames == nullptr || site > kMaximum ||
      frames_used_ + count > kFramePool) {
    return kNone;
  }
  for (size_t i = 0; i < count; ++i) frames[frames_used_ + i] = packed[i];
  records[site] = {frames_used_, static_cast<uint32_t>(count), kind};
  frames_used_ += count;
  AddOwnBytes(static_cast<int64_t>(sizeof(SiteRecord) + count * sizeof(uint64_t)));
  count_.store(site, std::memory_order_release);
  return site;
}

bool Sites::Insert(uint64_t key, uint32_t site) {
  Table* table = table_.load(std::memory_order_relaxed);
  if (table == nullptr || table->used >= table->size / 2) {
    if (!Grow()) return false;
    table = table_.load(std::memory_order_relaxed);
  }
  for (uint64_t i = Home(*table, key);; i = (i + 1) & (table->size - 1)) {
    Entry& entry = table->entries[i];
    // A forgotten entry is not used again: a reader may be between its key and its site.
    if (entry.key.load(std::memory_order_relaxed) != 0) continue;
    entry.site.store(site, std::memory_order_relaxed);
    entry.key.store(key, std::memory_order_release);
    ++table->used;
    return true;
  }
}

// Entries move to a fresh table without the forgotten ones. A reader may still be in the
// old one, so that it is never unmapped: with doubling, all old ones together are smaller
// than the last; a table that was full of forgotten entries costs its size again.
bool Sites::Grow() {
  const Table* old = table_.load(std::memory_order_relaxed);
  uint64_t live = 0;
  for (uint64_t i = 0; old != nullptr && i < old->size; ++i) {
    live += old->entries[i].key.load(std::memory_order_relaxed) > kForgotten;
  }
  uint64_t size = uint64_t{1} << 12;
  while (size < live * 4) size *= 2;
  const size_t bytes = sizeof(Table) + size * sizeof(Entry);
  auto* table = static_cast<Table*>(MapOwn(bytes));
  if (table == nullptr) return false;
  AddOwnBytes(static_cast<int64_t>(bytes));
  table->size = size;
  table->shift = 64 - __builtin_ctzll(size);
  for (uint64_t i = 0; old != nullptr && i < old->size; ++i) {
    const uint64_t key = old->entries[i].key.load(std::memory_order_relaxed);
    if (key <= kForgotten) continue;
    uint64_t place = Home(*table, key);
    while (table->entries[place].key.load(std::memory_order_relaxed) != 0) {
      place = (place + 1) & (size - 1);
    }
    table->entries[place].site.store(old->entries[i].site.load(std::memory_order_relaxed),
                                     std::memory_order_relaxed);
    table->entries[place].key.store(key, std::memory_order_relaxed);
    ++table->used;
  }
  table_.store(table, std::memory_order_release);
  return true;
}

}  // namespace plimsoll::ledger
