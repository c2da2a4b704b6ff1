#include "allocators/workspace/workspace_ref.h"

#include <deque>
#include <mutex>

namespace plimsoll {
namespace {

// A slot rests until this many others are free, so that an array that outlived its
// workspace can still say whose it was.
constexpr size_t kResting = 8;

struct Slots {
  std::mutex mutex;
  std::deque<WorkspaceSlot> all;        // addresses stay
  WorkspaceSlot* first_free = nullptr;  // rested longest
  WorkspaceSlot* last_free = nullptr;
  size_t free = 0;
  uint64_t last_serial = 0;
};

// Never destroyed: arrays may ask at any time, static destructors included.
Slots& TheSlots() {
  static Slots* const slots = new Slots;
  return *slots;
}

}  // namespace

std::string WorkspaceRef::Id() const {
  if (slot_ == nullptr) return "?";
  Slots& slots = TheSlots();
  const std::lock_guard lock(slots.mutex);
  return slot_->last_serial == serial_ ? slot_->last_id : "?";
}

WorkspaceRegistration::WorkspaceRegistration(ScopeTarget* target, uint64_t owner) {
  Slots& slots = TheSlots();
  const std::lock_guard lock(slots.mutex);
  WorkspaceSlot* slot = nullptr;
  if (slots.free > kResting) {
    slot = slots.first_free;
    slots.first_free = slot->next_free;
    --slots.free;
  } else {
    slot = &slots.all.emplace_back();
  }
  slot->last_serial = ++slots.last_serial;
  slot->last_id = target->id();
  slot->target.store(target);
  slot->owner.store(owner);
  slot->serial.store(slot->last_serial, std::memory_order_release);
  ref_ = WorkspaceRef(slot, slot->last_serial);
}

WorkspaceRegistration::~WorkspaceRegistration() {
  Slots& slots = TheSlots();
  const std::lock_guard lock(slots.mutex);
  ref_.slot_->serial.store(0, std::memory_order_release);
  WorkspaceSlot*& tail = slots.free == 0 ? slots.first_free : slots.last_free->next_free;
  tail = ref_.slot_;
  slots.last_free = ref_.slot_;
  slots.last_free->next_free = nullptr;
  ++slots.free;
}

}  // namespace plimsoll
