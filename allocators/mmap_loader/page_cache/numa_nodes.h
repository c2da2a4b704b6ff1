#ifndef ALLOCATORS_MMAP_LOADER_PAGE_CACHE_NUMA_NODES_H_
#define ALLOCATORS_MMAP_LOADER_PAGE_CACHE_NUMA_NODES_H_

// Spreads memory over the nodes of the machine. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>

#include "allocators/mmap_loader/mapping.h"

namespace plimsoll::weights {

// "0-1,3" as a bit mask, as /sys/devices/system/node/online writes it. Nodes past 63, and
// text that is not of the form, are left out.
uint64_t NodesIn(std::string_view list);

// Asks for the pages of an anonymous mapping from all nodes in turn. Returns why not, or
// nothing.
std::string InterleavePages(const Mapping& mapping);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_PAGE_CACHE_NUMA_NODES_H_
