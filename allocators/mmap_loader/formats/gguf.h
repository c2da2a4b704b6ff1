#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_GGUF_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_GGUF_H_

// Reads GGUF, llama.cpp's format: keys and values, a list of tensors, the data. Versions 2
// and 3, little-endian. Thread-safe: a pure function of the source.

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"

namespace plimsoll::weights {

// Checks magic, byte order and version; counts and lengths against the bytes that are
// left; keys that are empty or twice there; dimensions and types; an alignment that is a
// power of two; offsets that are exactly the padded sum of the sizes before; the end. Keys
// become metadata: scalars and strings as text (long ones cut), arrays by type and length.
// Dimensions are turned around: outermost first.
Expected<Directory> ParseGguf(const ByteSource& source);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_GGUF_H_
