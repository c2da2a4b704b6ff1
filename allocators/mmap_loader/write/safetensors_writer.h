#ifndef ALLOCATORS_MMAP_LOADER_WRITE_SAFETENSORS_WRITER_H_
#define ALLOCATORS_MMAP_LOADER_WRITE_SAFETENSORS_WRITER_H_

// Writes safetensors, in one file or in shards with an index. Thread-safe, except that of
// two writers of one path the last wins.

#include <cstdint>
#include <string>
#include <vector>

#include "allocators/mmap_loader/os.h"
#include "allocators/mmap_loader/write/tensors.h"
#include "base/error.h"

namespace plimsoll::weights {

struct SafetensorsOptions {
  Metadata metadata = {};
  bool checksums = false;             // XXH3-64 of each tensor, in the metadata
  uint64_t shard_bytes = UINT64_MAX;  // tensor bytes a file, but at least one tensor
};

// Writes NAME.safetensors, or NAME-00001-of-00003.safetensors … and
// NAME.safetensors.index.json when one file would pass shard_bytes; returns the path to
// open. Wide elements come first, so that all are aligned. Each file replaces an old one
// all at once, the index last; an error leaves the old ones, of shards those not yet
// written. A dtype that the format has no name for is an error.
Expected<std::string> WriteSafetensors(Os& os, const std::string& path,
                                       const std::vector<TensorToWrite>& tensors,
                                       const SafetensorsOptions& options);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_WRITE_SAFETENSORS_WRITER_H_
