#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_SAFETENSORS_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_SAFETENSORS_H_

// Reads safetensors: one file (8 bytes of header length, a JSON header, the data without
// holes) or the index of a model in several. Thread-safe: pure functions of the source.

#include <cstdint>
#include <string_view>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"

namespace plimsoll::weights {

constexpr uint64_t kSafetensorsLongestHeader = 100'000'000;

// Metadata keys with this prefix, then a tensor's name, hold the XXH3-64 of its bytes as
// 16 hexadecimal digits: how this loader's writer adds checksums, unseen by others.
constexpr std::string_view kSafetensorsChecksumKey = "plimsoll.xxh3:";

// One file. Everything the format demands is checked: the header's length and JSON, dtype,
// shape and range of each tensor, no duplicate, overlap, hole or trailing byte.
Expected<Directory> ParseSafetensors(const ByteSource& source);

// NAME.safetensors.index.json: {"metadata": {…}, "weight_map": {tensor: file}}. Each file
// is parsed as above, and must hold the tensors that the map says it does.
Expected<Directory> ParseSafetensorsIndex(const ByteSource& source, Siblings& siblings);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_SAFETENSORS_H_
