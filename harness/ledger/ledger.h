#ifndef HARNESS_LEDGER_LEDGER_H_
#define HARNESS_LEDGER_LEDGER_H_

// What the program still holds, by site and epoch: the tables behind the interposed
// allocation functions, seen from the harness's side, inside the process under test.
//
// Thread-safety: every function may be called from any thread at any time, except that
// Read, TakeFloor, TakeSnapshot and ClearStaleRecords belong to one caller at a time.
// Nothing here allocates through malloc, throws, or needs libstdc++ at run time.
//
// Bounds, past which a block is counted in LedgerCounters::untracked_blocks instead of
// entered: 2^20 - 1 sites; 2^18 descriptors, mappings, odd blocks (16 MiB and more, or not
// 16-byte aligned) each; 2^15 threads; 2^12 names. Epochs saturate at 2^20 - 1.

#include <cstddef>
#include <cstdint>

#include "harness/sample.h"

namespace plimsoll::ledger {

enum class StackMode : uint8_t {
  kCaller,  // a site is the return address of the call that allocated
  kFull,    // a site is the whole call stack, up to kMaximumFrames
};
constexpr size_t kMaximumFrames = 64;

// How sites are named from now on; blocks already entered keep theirs.
void SetStackMode(StackMode mode);

// Full stacks only for what is allocated at these sites (of kCaller), by their callers; all
// else as in kCaller. The new sites' first frame is the old site's. False: no memory.
bool SetFullStacksAt(const uint32_t* sites, size_t count);

// True when allocations of this process reach the ledger: interposed (and not hidden
// behind a malloc linked into the executable), or through a sanitizer's hooks.
bool Interposed();

// The running epoch: 0 until the first mark.
uint32_t Epoch();
void AdvanceEpoch();

// Counts at this moment, exact to the byte when no other thread is allocating. The peak is
// the highest live heap since the previous Read: exact with one thread; with more, low by
// at most 64 KiB for each further thread that allocates at the same time. Below 1 us with
// up to a hundred threads; allocates nothing.
LedgerCounters Read();

// Resident bytes of the ledger itself, to explain RSS: never part of any count.
uint64_t OwnBytes();

// While one lives, what this thread allocates, maps or opens is the harness's own and is
// not entered. Nests. A free always clears the block's record, whoever frees it.
struct Suppress {
  Suppress();
  ~Suppress();
  Suppress(const Suppress&) = delete;
  Suppress& operator=(const Suppress&) = delete;
};

// Lowers each site's floor to what it holds now. Cost: one walk over the live records.
void TakeFloor();

// One site's holdings. The floor is the least seen by TakeFloor since the previous
// snapshot, this one included.
struct SiteRow {
  ResourceKind kind = ResourceKind::kHeap;
  uint32_t site = 0;
  uint64_t live_blocks = 0;
  uint64_t live_bytes = 0;
  uint64_t floor_blocks = 0;
  uint64_t floor_bytes = 0;
};

struct EpochRow {
  uint32_t site = 0;
  uint32_t epoch = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
};

struct SnapshotVisitor {
  void* context = nullptr;
  void (*site)(void* context, const SiteRow& row) = nullptr;
  void (*epoch)(void* context, const EpochRow& row) = nullptr;
};

// Walks all live records and resets the floors: for each site that holds something (or
// whose floor is wanted) `site`, then its epochs ascending. Survivors of epochs up to
// `fold_through` come as one row with epoch 0. False: a bound was reached, and what is
// missing could hide a leak.
bool TakeSnapshot(uint32_t fold_through, const SnapshotVisitor& visitor);

// The return addresses of `site`, innermost first, in the address space that Modules
// describes; at most `capacity`. Returns how many there are (0: no such site).
size_t Frames(uint32_t site, uint64_t* addresses, size_t capacity);

// Every module that a site's frame lies in, also those unloaded since. Addresses of a
// module that was loaded where another one had been are moved apart by bits above 2^47.
struct ModuleRow {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;         // file offset of `start`
  const char* path = nullptr;  // lives as long as the process
};
size_t Modules(void* context, void (*visit)(void* context, const ModuleRow& row));

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_LEDGER_H_
