#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_BLOB_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_BLOB_H_

// Reads plain blobs: files of nothing but tensor data, and a JSON index that says what is
// where. Thread-safe: a pure function of the source.

#include <cstdint>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"

namespace plimsoll::weights {

constexpr char kBlobFormat[] = "plimsoll-blob";
constexpr uint64_t kBlobVersion = 1;
constexpr uint64_t kBlobLongestIndex = 100'000'000;
constexpr uint64_t kBlobLargestAlignment = uint64_t{1} << 30;

// NAME.blob.json, its fields in this order:
//   {"format": "plimsoll-blob", "version": 1, "byte_order": "little", "alignment": 64,
//    "metadata": {"key": "value"},                                        (optional)
//    "files": [{"path": "NAME.blob", "bytes": 1024}],
//    "tensors": [{"name": "w", "dtype": "F32", "shape": [2, 3], "file": 0, "offset": 64,
//                 "bytes": 24, "xxh3": "0123456789abcdef"}]}              (xxh3 optional)
// Tensors are aligned and do not overlap; only padding lies between them and at the end.
Expected<Directory> ParseBlob(const ByteSource& source, Siblings& siblings);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_BLOB_H_
