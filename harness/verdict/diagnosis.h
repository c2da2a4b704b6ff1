#ifndef HARNESS_VERDICT_DIAGNOSIS_H_
#define HARNESS_VERDICT_DIAGNOSIS_H_

// What a process's memory is made of and what kind of growth it shows: live heap, what the
// allocator keeps, file pages and so on, each with its evidence. Pure functions;
// thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/result.h"
#include "harness/sample.h"

namespace plimsoll {

// One arena of glibc's malloc_info(0, …).
struct ArenaFigures {
  uint64_t system_bytes = 0;  // <system type="current">
  uint64_t free_bytes = 0;    // <total type="fast"> and "rest"
};

// What only the child can measure, once, after the last iteration. Absent is not measured.
struct EndEvidence {
  std::string purge;  // what was done in between: "malloc_trim(0)", "arena purge"
  Count rss_anon_before_purge_bytes;
  Count rss_anon_after_purge_bytes;
  std::vector<ArenaFigures> arenas;  // the main arena first
  Count stack_bytes;                 // resident in [stack] and in threads' stacks
};

// In order of weight. Of kinds that are levels, `bytes` is what is held at the end; of the
// others it is the change from the first iterations after warm-up to the last (by the lowest
// of an eighth each for exact counters, by the median for noisy ones):
//   live_heap            change of the ledger's heap; always there when the ledger was
//   allocator_retention  level: freed to malloc and given back by the purge; without a purge
//                        what malloc has free
//   fragmentation        level: free in malloc, resident still after the purge
//   thread_caches        level: in use by malloc's books but not by the program's: thread
//                        caches and block headers; or free in arenas other than the main
//   mappings             change of the ledger's mappings
//   file_pages           change of RssFile: reclaimable, never a leak
//   stacks               level: resident stacks
//   descriptors, threads change of their number; bytes is that number
//   unaccounted          change of RssAnon that the ledger's heap, mappings and own memory and
//   malloc's
//                        free memory do not explain
// A kind is left out when it is below 64 KiB or a hundredth of the peak RssAnon, when it did
// not change, or when it was not measured. Nothing is measured by fewer than eight samples
// after warm-up.
std::vector<Diagnosis> Diagnose(uint32_t warmup, std::span<const Sample> samples,
                                const EndEvidence& end);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_DIAGNOSIS_H_
