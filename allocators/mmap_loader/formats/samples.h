#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_SAMPLES_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_SAMPLES_H_

// Small valid files of every format, made piece by piece so that tests can break each
// piece, and files in memory that stand beside them. One thread at a time.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/mmap_loader/byte_source.h"

namespace plimsoll::weights {

std::span<const std::byte> AsBytes(std::string_view text);

// The bytes of a number, little-endian.
template <typename Number>
std::string Raw(Number number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof(number));
}
// A GGUF string: its length in 64 bits, and the text.
std::string GgufString(std::string_view text);
// A key with a value of a type.
std::string GgufPair(std::string_view key, uint32_t type, std::string_view value);
// Dimensions innermost first, as the file has them.
std::string GgufTensor(std::string_view name, const std::vector<uint64_t>& dimensions,
                       uint32_t type, uint64_t offset);
struct GgufFile {
  uint32_t version = 3;
  std::vector<std::string> pairs;
  std::vector<std::string> tensors;
  std::string data;
  uint64_t alignment = 32;
  std::string Bytes() const;
};
// Keys of every type, tensors of three; alignment 64.
GgufFile SampleGguf();

// An ONNX model of five initializers: raw, floats, integers, external, external again.
// "weights.bin" of 128 bytes belongs to it.
std::string SampleOnnx();
// An IR of four constants, one of them in a loop's body and two that share their bytes.
// "model.bin" of 64 bytes belongs to model.xml.
std::string SampleIr();
// A blob index of two tensors. "m.blob" of 128 bytes belongs to it.
std::string SampleBlob();

// Files beside the first, in memory.
class MemorySiblings : public Siblings {
 public:
  Expected<std::shared_ptr<const ByteSource>> Open(const std::string& name,
                                                   FieldName field) override;
  std::map<std::string, std::string> files;
  int opened = 0;
};
// Those that the samples want.
MemorySiblings SampleSiblings();

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_SAMPLES_H_
