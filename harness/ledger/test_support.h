#ifndef HARNESS_LEDGER_TEST_SUPPORT_H_
#define HARNESS_LEDGER_TEST_SUPPORT_H_

// What the ledger's tests ask it again and again. One thread at a time.

#include <cstdint>
#include <utility>
#include <vector>

#include "harness/ledger/ledger.h"

namespace plimsoll::ledger {

inline HeldCount Held(ResourceKind kind) { return Read().held[static_cast<size_t>(kind)]; }

inline int64_t Blocks(ResourceKind kind) { return static_cast<int64_t>(Held(kind).blocks); }

// Bytes and blocks.
using Change = std::pair<int64_t, int64_t>;

// What `run` leaves behind. Nothing else may allocate meanwhile.
template <typename Run>
Change Left(ResourceKind kind, Run run) {
  const HeldCount before = Held(kind);
  run();
  const HeldCount after = Held(kind);
  return {static_cast<int64_t>(after.bytes - before.bytes),
          static_cast<int64_t>(after.blocks - before.blocks)};
}

// The compiler may otherwise leave out a malloc whose block is only freed.
template <typename T>
T* Escaped(T* pointer) {
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

struct Seen {
  std::vector<SiteRow> sites;
  std::vector<EpochRow> epochs;
  bool complete = false;
};

inline Seen Snapshot(uint32_t fold_through) {
  Suppress own;
  Seen seen;
  seen.complete = TakeSnapshot(
      fold_through,
      {.context = &seen,
       .site = [](void* context,
                  const SiteRow& row) { static_cast<Seen*>(context)->sites.push_back(row); },
       .epoch = [](void* context,
                   const EpochRow& row) { static_cast<Seen*>(context)->epochs.push_back(row); }});
  return seen;
}

// A function that IsFrom can tell from its neighbours.
#define PLIMSOLL_TEST_SITE __attribute__((noinline, aligned(512)))

// True when a frame of `site` lies in the first 512 bytes of `function`.
template <typename Function>
bool IsFrom(uint32_t site, Function* function) {
  uint64_t addresses[kMaximumFrames];
  const size_t count = Frames(site, addresses, kMaximumFrames);
  const auto start = reinterpret_cast<uint64_t>(function);
  for (size_t i = 0; i < count; ++i) {
    if (addresses[i] > start && addresses[i] <= start + 512) return true;
  }
  return false;
}

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_TEST_SUPPORT_H_
