#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_PARSE_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_PARSE_H_

// Any weight file to its directory: finds out the format and hands over to its parser.
// Thread-safe: pure functions of the source.

#include <optional>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"

namespace plimsoll::weights {

// The format of a file: by the end of its name, else by its first bytes.
Expected<Format> DetectFormat(const ByteSource& source);

// Parses `source`, and what it names through `siblings`, as `format` or as detected.
Expected<Directory> ParseWeights(const ByteSource& source, Siblings& siblings,
                                 std::optional<Format> format);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_PARSE_H_
