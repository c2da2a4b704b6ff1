#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_OPENVINO_IR_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_OPENVINO_IR_H_

// Reads the constants of an OpenVINO model: NAME.xml says where in NAME.bin they are.
// Versions 10 and 11. Thread-safe: a pure function of the source.

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"

namespace plimsoll::weights {

// Every layer of type Const, those in the bodies of loops and branches under the name of
// the layer that has the body ("loop/body/weight"). Equal constants may share their bytes,
// as OpenVINO writes them, and a part of the .bin may be nobody's. String constants have
// no fixed size and are listed in the metadata instead.
Expected<Directory> ParseOpenvinoIr(const ByteSource& source, Siblings& siblings);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_OPENVINO_IR_H_
