#include "harness/ledger/shadow_map.h"

namespace plimsoll::ledger {

OddBlocks::Slot* OddBlocks::FindSlot(uint64_t address) {
  Slot* slots = slots_.IfMapped();
  if (slots == nullptr) return nullptr;
  for (size_t i = Home(address); slots[i].address != 0; i = (i + 1) % kCapacity) {
    if (slots[i].address == address) return &slots[i];
  }
  return nullptr;
}

bool OddBlocks::Put(uint64_t address, const Record& record) {
  Locked locked(lock_);
  Slot* slots = slots_.Get(kCapacity);
  if (slots == nullptr || used_ >= kCapacity / 4 * 3) return false;
  Slot* slot = FindSlot(address);
  if (slot == nullptr) {
    size_t i = Home(address);
    while (slots[i].address != 0) i = (i + 1) % kCapacity;
    slot = &slots[i];
    ++used_;
  }
  *slot = {address, record};
  return true;
}

bool OddBlocks::Find(uint64_t address, Record* record) {
  Locked locked(lock_);
  const Slot* slot = FindSlot(address);
  if (slot == nullptr) return false;
  *record = slot->record;
  return true;
}

bool OddBlocks::Take(uint64_t address, Record* record) {
  Locked locked(lock_);
  Slot* slot = FindSlot(address);
  if (slot == nullptr) return false;
  *record = slot->record;
  // Close the gap, so that no probe sequence breaks and no tombstones pile up.
  Slot* slots = slots_.IfMapped();
  size_t gap = static_cast<size_t>(slot - slots);
  for (size_t i = (gap + 1) % kCapacity; slots[i].address != 0; i = (i + 1) % kCapacity) {
    const size_t home = Home(slots[i].address);
    const bool reachable_past_gap =
        (i > gap) ? (home > gap && home <= i) : (home > gap || home <= i);
    if (reachable_past_gap) continue;
    slots[gap] = slots[i];
    gap = i;
  }
  slots[gap].address = 0;
  --used_;
  return true;
}

ShadowMap::Leaf* ShadowMap::AddLeaf(uint64_t address) {
  Locked locked(lock_);
  std::atomic<Leaf*>* top = top_.Get(kTopEntries);
  Leaf** leaves = leaves_.Get(kMaximumLeaves);
  if (top == nullptr || leaves == nullptr) return nullptr;
  std::atomic<Leaf*>& place = top[address >> 26];
  Leaf* leaf = place.load(std::memory_order_relaxed);
  const size_t count = leaf_count_.load(std::memory_order_relaxed);
  if (leaf != nullptr || count == kMaximumLeaves) return leaf;
  leaf = static_cast<Leaf*>(MapOwn(sizeof(Leaf)));
  if (leaf == nullptr) return nullptr;
  AddOwnBytes(sizeof(leaf->touched));
  leaves[count] = leaf;
  leaf_count_.store(count + 1, std::memory_order_release);
  place.store(leaf, std::memory_order_release);
  return leaf;
}

}  // namespace plimsoll::ledger
