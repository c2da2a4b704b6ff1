#ifndef ALLOCATORS_MMAP_LOADER_WRITE_TENSORS_H_
#define ALLOCATORS_MMAP_LOADER_WRITE_TENSORS_H_

// What the writers write: tensors whose bytes are asked for one after the other, so a
// model of any size passes through the memory of its largest tensor. Values.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "allocators/mmap_loader/dtype.h"
#include "allocators/mmap_loader/loader.h"
#include "base/error.h"

namespace plimsoll::weights {

// Takes the next bytes of a tensor.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

struct TensorToWrite {
  std::string name;
  DType dtype = DType::kU8;
  std::vector<uint64_t> shape;
  // Hands all bytes to the sink, in order, in one piece or several; the sink's error is
  // passed on.
  std::function<Status(const ByteSink&)> read;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

// All tensors of `weights`, which must live as long. Each is acquired when it is read and
// dropped afterwards.
std::vector<TensorToWrite> TensorsOf(const Weights& weights);

// A JSON string, quotes and all. An error when `text` is not UTF-8; `what` is for it.
Expected<std::string> JsonString(std::string_view path, std::string_view what,
                                 std::string_view text);

// The pairs as JSON members, "KEY": "VALUE" without a separator; keys that start with
// `left_out`, unless that is empty, are not among them. An error when a key comes twice.
Expected<std::vector<std::string>> MetadataMembers(std::string_view path, const Metadata& metadata,
                                                   std::string_view left_out);

// The bytes that dtype and shape make; an error when they do not.
Expected<uint64_t> SizeToWrite(std::string_view path, const TensorToWrite& tensor);

// Hands the tensor's bytes to the sink; an error unless there are `bytes` of them. Returns
// their checksum.
Expected<uint64_t> PassOn(std::string_view path, const TensorToWrite& tensor, uint64_t bytes,
                          const ByteSink& sink);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_WRITE_TENSORS_H_
