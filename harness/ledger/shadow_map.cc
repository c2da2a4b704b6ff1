#include "harness/ledger/shadow_map.h"

namespace plimsoll::ledger {

size_t OddBlocks::Place(uint64_t address) const {
  size_t i = Home(address);
  while (slots_[i].address != 0 && slots_[i].address != address) i = (i + 1) & (slot_count_ - 1);
  return i;
}

bool OddBlocks::Grow() {
  const size_t old_count = slot_count_;
  Slot* const old = slots_;
  const size_t count = old_count == 0 ? 256 : old_count * 2;
  auto* slots = static_cast<Slot*>(MapOwn(count * sizeof(Slot)));
  if (slots == nullptr) return false;
  AddOwnBytes(static_cast<int64_t>((count - old_count) * sizeof(Slot)));
  slots_ = slots;
  slot_count_ = count;
  for (size_t i = 0; i < old_count; ++i) {
    if (old[i].address != 0) slots_[Place(old[i].address)] = old[i];
  }
  if (old != nullptr) UnmapOwn(old, old_count * sizeof(Slot));
  return true;
}

bool OddBlocks::Put(uint64_t address, const Record& record) {
  Locked locked(lock_);
  if (used_ == kMaximum || (used_ * 2 >= slot_count_ && !Grow())) return false;
  Slot& slot = slots_[Place(address)];
  if (slot.address == 0) ++used_;
  slot = {address, record};
  return true;
}

bool OddBlocks::Find(uint64_t address, Record* record) {
  Locked locked(lock_);
  if (used_ == 0) return false;
  const Slot& slot = slots_[Place(address)];
  *record = slot.record;
  return slot.address != 0;
}

bool OddBlocks::Take(uint64_t address, Record* record) {
  Locked locked(lock_);
  if (used_ == 0) return false;
  size_t gap = Place(address);
  if (slots_[gap].address == 0) return false;
  *record = slots_[gap].record;
  // Close the gap, so that no probe sequence breaks and no tombstones pile up.
  const size_t mask = slot_count_ - 1;
  for (size_t i = (gap + 1) & mask; slots_[i].address != 0; i = (i + 1) & mask) {
    const size_t home = Home(slots_[i].address);
    if (((i - home) & mask) < ((i - gap) & mask)) continue;  // its home lies past the gap
    slots_[gap] = slots_[i];
    gap = i;
  }
  slots_[gap].address = 0;
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
