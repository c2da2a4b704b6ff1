#ifndef ALLOCATORS_MMAP_LOADER_WRITE_BLOB_WRITER_H_
#define ALLOCATORS_MMAP_LOADER_WRITE_BLOB_WRITER_H_

// Writes a blob and its index (formats/blob.h). Thread-safe, except that of two writers of
// one path the last wins.

#include <cstdint>
#include <string>
#include <vector>

#include "allocators/mmap_loader/os.h"
#include "allocators/mmap_loader/write/tensors.h"
#include "base/error.h"

namespace plimsoll::weights {

struct BlobOptions {
  Metadata metadata = {};
  bool checksums = false;
  uint64_t alignment = 64;  // of each tensor in the file: a power of two up to 1 GiB
};

// Writes NAME.blob and then NAME.blob.json, which is `path`. Each replaces an old one all
// at once; an error leaves the old index, and one that does not fit a new blob is found
// out when it is opened.
Status WriteBlob(Os& os, const std::string& path, const std::vector<TensorToWrite>& tensors,
                 const BlobOptions& options);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_WRITE_BLOB_WRITER_H_
