#include "harness/ledger/ledger.h"

#include "harness/ledger/state.h"

namespace plimsoll::ledger {

void SetStackMode(StackMode mode) {
  state.stacks.store(mode == StackMode::kFull ? Stacks::kAll : Stacks::kNone,
                     std::memory_order_relaxed);
}

bool SetFullStacksAt(const uint32_t* sites, size_t count) {
  constexpr size_t kWords = (Sites::kMaximum + size_t{64}) / 64;
  std::atomic<uint64_t>* wanted = state.sites_with_stacks.Get(kWords);
  if (wanted == nullptr) return false;
  for (size_t i = 0; i < kWords; ++i) {
    if (wanted[i].load(std::memory_order_relaxed) != 0) {
      wanted[i].store(0, std::memory_order_relaxed);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (sites[i] > Sites::kMaximum) continue;
    wanted[sites[i] / 64].fetch_or(uint64_t{1} << (sites[i] % 64), std::memory_order_relaxed);
  }
  state.stacks.store(Stacks::kAtSomeSites, std::memory_order_relaxed);
  return true;
}

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
