#ifndef ALLOCATORS_MMAP_LOADER_MODEL_H_
#define ALLOCATORS_MMAP_LOADER_MODEL_H_

// Weights as the loader keeps them: the directory and the memory of each file. Shared by
// every load of the same weights and by every tensor handle. Never changes, so it is
// thread-safe; the regions lock for themselves.

#include <memory>
#include <string>
#include <vector>

#include "allocators/mmap_loader/directory.h"
#include "allocators/mmap_loader/options.h"
#include "allocators/mmap_loader/page_cache/counters.h"
#include "allocators/mmap_loader/page_cache/region.h"

namespace plimsoll::weights {

struct Model {
  Directory directory;
  LoadOptions options;                           // mode is never kAuto
  std::string reason;                            // of that mode
  std::vector<std::shared_ptr<Region>> regions;  // one for each of directory.files()
  std::shared_ptr<Counters> counters;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_MODEL_H_
