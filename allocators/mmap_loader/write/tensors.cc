#include "allocators/mmap_loader/write/tensors.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/field_name.h"

namespace plimsoll::weights {

std::vector<TensorToWrite> TensorsOf(const Weights& weights) {
  std::vector<TensorToWrite> tensors;
  const Directory& directory = weights.directory();
  tensors.reserve(directory.size());
  for (size_t i = 0; i < directory.size(); ++i) {
    const TensorInfo info = directory.at(i);
    const auto read = [&weights, i](const ByteSink& sink) -> Status {
      const Expected<Tensor> tensor = weights.Acquire(i);
      if (!tensor) return tl::unexpected(tensor.error());
      Status passed;
      const Status whole =
          tensor->Read([&](std::span<const std::byte> bytes) { passed = sink(bytes); });
      return whole ? passed : whole;
    };
    tensors.push_back({.name = std::string(info.name),
                       .dtype = info.dtype,
                       .shape = {info.shape.begin(), info.shape.end()},
                       .read = read});
  }
  return tensors;
}

Expected<std::string> JsonString(std::string_view path, std::string_view what,
                                 std::string_view text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    return BadValue(path, what, Printable(text), "expected UTF-8, which JSON is written in");
  }
}

Expected<std::vector<std::string>> MetadataMembers(std::string_view path, const Metadata& metadata,
                                                   std::string_view left_out) {
  std::vector<std::string> members;
  std::set<std::string_view> seen;
  for (const auto& [key, value] : metadata) {
    if (!left_out.empty() && std::string_view(key).starts_with(left_out)) continue;
    if (!seen.insert(key).second) {
      return BadValue(path, "metadata key", Printable(key),
                      "expected each key once: this one is a duplicate");
    }
    const Expected<std::string> quoted_key = JsonString(path, "metadata key", key);
    if (!quoted_key) return tl::unexpected(quoted_key.error());
    const Expected<std::string> quoted_value = JsonString(path, "metadata value", value);
    if (!quoted_value) return tl::unexpected(quoted_value.error());
    members.push_back(*quoted_key + ": " + *quoted_value);
  }
  return members;
}

Expected<uint64_t> SizeToWrite(std::string_view path, const TensorToWrite& tensor) {
  const std::optional<uint64_t> bytes = ByteCount(tensor.dtype, tensor.shape);
  if (bytes) return *bytes;
  return BadValue(path, TensorField(tensor.name, "shape").Text(), ShapeText(tensor.shape),
                  "expected less than 2^61 bytes in whole blocks of " +
                      std::to_string(InfoOf(tensor.dtype).block_elements) + " elements");
}

Expected<uint64_t> PassOn(std::string_view path, const TensorToWrite& tensor, uint64_t bytes,
                          const ByteSink& sink) {
  ChecksumStream checksum;
  uint64_t passed = 0;
  const Status read = tensor.read([&](std::span<const std::byte> piece) -> Status {
    passed += piece.size();
    if (passed > bytes) return {};
    checksum.Add(piece);
    return sink(piece);
  });
  if (!read) return tl::unexpected(read.error());
  if (passed != bytes) {
    return BadValue(path, TensorField(tensor.name, "bytes to write").Text(), std::to_string(passed),
                    "expected " + std::to_string(bytes) + ", as dtype and shape say");
  }
  return checksum.Value();
}

}  // namespace plimsoll::weights
