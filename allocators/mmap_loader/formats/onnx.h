#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_ONNX_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_ONNX_H_

// Reads the initializers of an ONNX model without reading their bytes: those in the model
// file itself where they stand as an array (raw_data, float_data, double_data), and those
// in external files. Thread-safe: a pure function of the source.

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"

namespace plimsoll::weights {

// The main graph's dense initializers. Numbers that protobuf keeps as varints (int32_data,
// int64_data, uint64_data) are decoded into the directory. String tensors have no fixed
// size and are listed in the metadata instead. Two tensors may share the same external
// bytes, and a part of an external file may be nobody's.
Expected<Directory> ParseOnnx(const ByteSource& source, Siblings& siblings);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_ONNX_H_
