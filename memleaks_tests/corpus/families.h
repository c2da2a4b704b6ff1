#ifndef MEMLEAKS_TESTS_CORPUS_FAMILIES_H_
#define MEMLEAKS_TESTS_CORPUS_FAMILIES_H_

// The corpus by family, one source file each; corpus.h puts them together. Thread-safe:
// constant tables.

#include <span>

#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

// Planted leaks.
std::span<const Pattern> ContainerPatterns();    // reachable: maps, lists, strings, closures
std::span<const Pattern> IrregularPatterns();    // rare, random, late, periodic, growing
std::span<const Pattern> ReportedPatterns();     // real reports of inference engines
std::span<const Pattern> ThreadPatterns();       // state and stacks of threads
std::span<const Pattern> UnreachablePatterns();  // lost blocks, cycles, every malloc call
std::span<const Pattern> SystemPatterns();       // mappings, descriptors, files, segments

// Innocent ones.
std::span<const Pattern> CachePatterns();  // bounded caches and saturating tables
std::span<const Pattern> PoolPatterns();   // pools, arenas, rings, deferred frees
std::span<const Pattern> ReusePatterns();  // threads, mappings, descriptors, warm-up

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_CORPUS_FAMILIES_H_
