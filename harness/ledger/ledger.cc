#include "harness/ledger/ledger.h"

#include "harness/ledger/state.h"

namespace plimsoll::ledger {

void SetStackMode(StackMode mode) { state.stack_mode.store(mode, std::memory_order_relaxed); }

bool Interposed() { return state.interposed.load(std::memory_order_relaxed); }

uint32_t Epoch() { return state.epoch.load(std::memory_order_relaxed); }

void AdvanceEpoch() {
  const uint32_t epoch = Epoch();
  if (epoch < State::kLastEpoch) state.epoch.store(epoch + 1, std::memory_order_relaxed);
}

LedgerCounters Read() { return state.counters.Read(); }

uint64_t OwnBytes() { return TouchedOwnBytes(); }

Suppress::Suppress() { ++thread_state.suppressed; }
Suppress::~Suppress() { --thread_state.suppressed; }

size_t Frames(uint32_t site, uint64_t* addresses, size_t capacity) {
  return state.sites.Frames(site, addresses, capacity);
}

size_t Modules(void* context, void (*visit)(void* context, const ModuleRow& row)) {
  return state.sites.ForEachModule([&](const Module& module) {
    visit(context, {.start = module.shown_base + module.code_start,
                    .end = module.shown_base + module.code_end,
                    .offset = module.code_offset,
                    .path = module.path});
  });
}

}  // namespace plimsoll::ledger
