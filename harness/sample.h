#ifndef HARNESS_SAMPLE_H_
#define HARNESS_SAMPLE_H_

// The structs that travel: from probe and ledger, over the wire, to verdict, gate
// and report. Plain data; a test can build any of them by hand.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plimsoll {

// A value that could not be measured is absent, never 0.
using Count = std::optional<uint64_t>;

// What the kernel and the C library say of this process. Bytes unless named.
struct ProcessCounters {
  Count rss_bytes;        // VmRSS
  Count rss_anon_bytes;   // RssAnon
  Count rss_file_bytes;   // RssFile
  Count rss_shmem_bytes;  // RssShmem
  Count hwm_bytes;        // VmHWM: since start, or since the last reset
  Count vm_size_bytes;    // VmSize
  Count vm_peak_bytes;    // VmPeak
  Count swap_bytes;       // VmSwap
  Count pss_bytes;            // smaps_rollup: Pss
  Count private_dirty_bytes;  // smaps_rollup: Private_Dirty
  Count minor_faults;  // since the process started
  Count major_faults;
  Count threads;
  Count descriptors;
  Count mappings;
  Count cgroup_current_bytes;
  Count cgroup_peak_bytes;
  Count malloc_in_use_bytes;  // mallinfo2: uordblks + hblkhd
  Count malloc_free_bytes;    // mallinfo2: fordblks: freed to malloc, kept by it
  Count malloc_mapped_bytes;  // mallinfo2: arena + hblkhd: taken from the kernel
  bool hwm_is_per_iteration = false;  // the high-water mark was reset at the last sample
};

// What a process can hold on to. Order is part of the wire format: append only.
enum class ResourceKind : uint8_t {
  kHeap,            // malloc, calloc, realloc, memalign family, operator new
  kMapping,         // mmap: anonymous or file
  kDescriptor,      // open, socket, pipe, dup, epoll, eventfd, memfd …
  kThread,          // started and not ended, or ended and never joined
  kSharedMemory,    // shm_open / SysV segments not unlinked or removed
  kTempFile,        // mkstemp, tmpfile, O_TMPFILE names not unlinked
  kAllocatorBlock,  // blocks an allocator reports as its own
};
constexpr size_t kResourceKinds = 7;
// "heap", "mapping", "descriptor", "thread", "shared memory", "temporary file",
// "allocator block".
const char* ResourceKindName(ResourceKind kind);

struct HeldCount {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
};

// Exact counts from the ledger at an iteration's end.
struct LedgerCounters {
  std::array<HeldCount, kResourceKinds> held = {};  // by ResourceKind
  uint64_t peak_heap_bytes = 0;    // highest live heap since the previous sample
  uint64_t allocation_calls = 0;   // successful, since the process started
  uint64_t untracked_blocks = 0;   // blocks not entered because a bound was reached
  uint64_t harness_bytes = 0;      // resident memory of the ledger itself: in RSS, in no count
};

// One iteration's end.
struct Sample {
  uint32_t iteration = 0;     // epoch that just ended, 1-based, warm-up included
  uint64_t nanoseconds = 0;   // CLOCK_MONOTONIC
  ProcessCounters process;
  std::optional<LedgerCounters> ledger;  // absent when the ledger could not enter
};

// Blocks of one site born in one epoch and still held when the snapshot was taken.
struct EpochSurvivors {
  uint32_t epoch = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
};

// One site's holdings at a snapshot.
struct SiteSurvivors {
  ResourceKind kind = ResourceKind::kHeap;
  uint32_t site = 0;          // names a SiteFrames
  uint64_t live_blocks = 0;   // all epochs
  uint64_t live_bytes = 0;
  // The least live bytes/blocks seen at the spread-out points where the
  // child looked since the previous snapshot, this one included.
  uint64_t floor_blocks = 0;
  uint64_t floor_bytes = 0;
  std::vector<EpochSurvivors> epochs;  // ascending; epoch 0 = before the first mark
};

// What the ledger holds after `iteration` epochs ended.
struct Snapshot {
  uint32_t iteration = 0;
  std::vector<SiteSurvivors> sites;
  bool complete = true;  // false: the ledger reached a bound, and CLEAN would be a guess
};

// A site's return addresses, innermost first; one address in counting mode.
struct SiteFrames {
  uint32_t site = 0;
  std::vector<uint64_t> addresses;
};

// A file mapped with execute permission, to turn addresses into names.
struct Module {
  uint64_t start = 0;   // first mapped address
  uint64_t end = 0;     // one past the last
  uint64_t offset = 0;  // file offset of `start`
  std::string path;
};

}  // namespace plimsoll

#endif  // HARNESS_SAMPLE_H_
