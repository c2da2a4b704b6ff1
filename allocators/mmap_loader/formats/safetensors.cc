#include "allocators/mmap_loader/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/formats/json_text.h"

namespace plimsoll::weights {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr size_t kLargestRank = 64;
constexpr uint64_t kLongestIndex = kSafetensorsLongestHeader;

struct Checksum {
  std::string name;
  uint64_t value;
};

// Reads one header into a builder that has exactly one file.
class HeaderReader {
 public:
  HeaderReader(const ByteSource& source, uint64_t header_bytes)
      : source_(source),
        data_begin_(kLengthBytes + header_bytes),
        data_bytes_(source.size() - data_begin_),
        builder_(Format::kSafetensors, source.path()) {
    // Headers in use spend 100 to 150 bytes on a tensor.
    builder_.Reserve(header_bytes / 128, header_bytes / 3);
    builder_.AddFile(source.path(), source.size());
  }

  Expected<Directory> Read() {
    auto text = JsonText::Read(source_, kLengthBytes, data_begin_ - kLengthBytes, "header");
    if (!text) return tl::unexpected(text.error());
    text_ = text->get();
    const auto done = ReadFields();
    if (!done) return tl::unexpected(done.error());
    for (const Checksum& checksum : checksums_) {
      const Status set = builder_.SetChecksum(checksum.name, checksum.value);
      if (!set) return tl::unexpected(set.error());
    }
    const Status layout = builder_.CheckLayout(0, {.data_begin = data_begin_});
    if (!layout) return tl::unexpected(layout.error());
    return builder_.Take();
  }

 private:
  Status ReadFields() {
    Expected<JsonText::Object> root = text_->Root();
    if (!root) return tl::unexpected(root.error());
    for (auto field : *root) {
      std::string_view key;
      const simdjson::error_code code = field.unescaped_key().get(key);
      if (code != simdjson::SUCCESS) return text_->Syntax(code);
      const Status read =
          key == "__metadata__" ? ReadMetadata(field.value()) : ReadTensor(key, field.value());
      if (!read) return read;
    }
    return text_->CheckEnd();
  }

  Status ReadMetadata(simdjson::simdjson_result<JsonText::Value> value) {
    Expected<JsonText::Object> object = text_->ObjectAt(value, {.field = "__metadata__"});
    if (!object) return tl::unexpected(object.error());
    for (auto field : *object) {
      std::string_view key;
      const simdjson::error_code code = field.unescaped_key().get(key);
      if (code != simdjson::SUCCESS) return text_->Syntax(code);
      const FieldName where{"__metadata__", key, ""};
      const Expected<std::string_view> entry = text_->StringAt(field.value(), where);
      if (!entry) return tl::unexpected(entry.error());
      if (!key.starts_with(kSafetensorsChecksumKey)) {
        builder_.AddMetadata(std::string(key), std::string(*entry));
        continue;
      }
      const std::optional<uint64_t> checksum = ChecksumIn(*entry);
      if (!checksum) {
        return BadValue(source_.path(), where.Text(), Printable(*entry),
                        "expected 16 hexadecimal digits");
      }
      checksums_.push_back({std::string(key.substr(kSafetensorsChecksumKey.size())), *checksum});
    }
    return {};
  }

  Status ReadTensor(std::string_view name, simdjson::simdjson_result<JsonText::Value> value) {
    Expected<JsonText::Object> object = text_->ObjectAt(value, TensorField(name, ""));
    if (!object) return tl::unexpected(object.error());
    std::optional<DType> dtype;
    bool has_shape = false;
    bool has_offsets = false;
    shape_.clear();
    offsets_.clear();
    for (auto field : *object) {
      std::string_view key;
      const simdjson::error_code code = field.unescaped_key().get(key);
      if (code != simdjson::SUCCESS) return text_->Syntax(code);
      Status read;
      bool again = false;
      if (key == "dtype") {
        again = dtype.has_value();
        read = ReadDType(name, field.value(), dtype);
      } else if (key == "shape") {
        again = std::exchange(has_shape, true);
        read = text_->UnsignedsAt(field.value(), TensorField(name, key), kLargestRank, shape_);
      } else if (key == "data_offsets") {
        again = std::exchange(has_offsets, true);
        read = text_->UnsignedsAt(field.value(), TensorField(name, key), 2, offsets_);
      }
      if (!read) return read;
      if (again) {
        return BadValue(source_.path(), TensorField(name, key).Text(), "a second time",
                        "expected each field once: this one is a duplicate");
      }
    }
    if (!dtype || !has_shape || !has_offsets) {
      return BadValue(source_.path(), TensorField(name, "").Text(),
                      !dtype ? "no dtype" : (!has_shape ? "no shape" : "no data_offsets"),
                      "expected dtype, shape and data_offsets");
    }
    return AddTensor(name, *dtype);
  }

  Status ReadDType(std::string_view name, simdjson::simdjson_result<JsonText::Value> value,
                   std::optional<DType>& dtype) {
    const Expected<std::string_view> text = text_->StringAt(value, TensorField(name, "dtype"));
    if (!text) return tl::unexpected(text.error());
    dtype = DTypeNamed(*text);
    if (!dtype || !InfoOf(*dtype).in_safetensors) {
      return BadValue(source_.path(), TensorField(name, "dtype").Text(), Printable(*text),
                      "expected one of " + SafetensorsNames());
    }
    return {};
  }

  Status AddTensor(std::string_view name, DType dtype) {
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1] || offsets_[1] > data_bytes_) {
      return BadValue(source_.path(), TensorField(name, "data_offsets").Text(), ShapeText(offsets_),
                      "expected [begin, end] with begin <= end <= " + std::to_string(data_bytes_) +
                          ", the bytes after the header");
    }
    if (const std::optional<uint64_t> bits = BitCount(dtype, shape_); bits && *bits % 8 != 0) {
      return BadValue(source_.path(), TensorField(name, "shape").Text(), ShapeText(shape_),
                      "expected whole bytes of " + std::string(InfoOf(dtype).name));
    }
    return builder_.Add({.name = name,
                         .dtype = dtype,
                         .shape = shape_,
                         .file = 0,
                         .offset = data_begin_ + offsets_[0],
                         .bytes = offsets_[1] - offsets_[0]},
                        "data_offsets");
  }

  const ByteSource& source_;
  const uint64_t data_begin_;
  const uint64_t data_bytes_;
  DirectoryBuilder builder_;
  JsonText* text_ = nullptr;
  std::vector<uint64_t> shape_;
  std::vector<uint64_t> offsets_;
  std::vector<Checksum> checksums_;
};

// One shard of an index: its tensors, and where its file stands in the merged directory.
struct Shard {
  Directory directory;
  uint32_t file;
};

class IndexReader {
 public:
  IndexReader(const ByteSource& source, Siblings& siblings)
      : source_(source), siblings_(siblings), builder_(Format::kSafetensors, source.path()) {}

  Expected<Directory> Read() {
    if (source_.size() > kLongestIndex) {
      return BadValue(source_.path(), "index size in bytes", std::to_string(source_.size()),
                      "expected at most " + std::to_string(kLongestIndex));
    }
    auto text = JsonText::Read(source_, 0, source_.size(), "index");
    if (!text) return tl::unexpected(text.error());
    text_ = text->get();
    const Status done = ReadFields();
    if (!done) return tl::unexpected(done.error());
    if (!has_map_) {
      return BadValue(source_.path(), "weight_map", "missing",
                      "expected an object of tensor names and files");
    }
    return builder_.Take();
  }

 private:
  Status ReadFields() {
    Expected<JsonText::Object> root = text_->Root();
    if (!root) return tl::unexpected(root.error());
    for (auto field : *root) {
      std::string_view key;
      const simdjson::error_code code = field.unescaped_key().get(key);
      if (code != simdjson::SUCCESS) return text_->Syntax(code);
      if (key != "weight_map") continue;
      if (std::exchange(has_map_, true)) {
        return BadValue(source_.path(), "weight_map", "a second time",
                        "expected each field once: this one is a duplicate");
      }
      const Status read = ReadMap(field.value());
      if (!read) return read;
    }
    return text_->CheckEnd();
  }

  Status ReadMap(simdjson::simdjson_result<JsonText::Value> value) {
    Expected<JsonText::Object> map = text_->ObjectAt(value, {.field = "weight_map"});
    if (!map) return tl::unexpected(map.error());
    for (auto field : *map) {
      std::string_view name;
      const simdjson::error_code code = field.unescaped_key().get(name);
      if (code != simdjson::SUCCESS) return text_->Syntax(code);
      const FieldName where{"weight_map", name, ""};
      const Expected<std::string_view> file = text_->StringAt(field.value(), where);
      if (!file) return tl::unexpected(file.error());
      const Expected<const Shard*> shard = ShardNamed(std::string(*file), where);
      if (!shard) return tl::unexpected(shard.error());
      const std::optional<size_t> index = (*shard)->directory.Find(name);
      if (!index) {
        return BadValue(
            source_.path(), where.Text(), Printable(*file),
            "expected a file that holds this tensor; " + (*shard)->directory.path() + " does not");
      }
      TensorInfo info = (*shard)->directory.at(*index);
      info.file = (*shard)->file;
      if (const Status added = builder_.Add(info, "data_offsets"); !added) return added;
      if (!info.checksum) continue;
      const Status set = builder_.SetChecksum(name, *info.checksum);
      if (!set) return set;
    }
    return {};
  }

  Expected<const Shard*> ShardNamed(const std::string& name, FieldName where) {
    const auto known = shards_.find(name);
    if (known != shards_.end()) return &known->second;
    const auto source = siblings_.Open(name, where);
    if (!source) return tl::unexpected(source.error());
    Expected<Directory> directory = ParseSafetensors(**source);
    if (!directory) return tl::unexpected(directory.error());
    const uint32_t file = builder_.AddFile((*source)->path(), (*source)->size());
    return &shards_.emplace(name, Shard{std::move(*directory), file}).first->second;
  }

  const ByteSource& source_;
  Siblings& siblings_;
  DirectoryBuilder builder_;
  JsonText* text_ = nullptr;
  bool has_map_ = false;
  std::map<std::string, Shard> shards_;
};

}  // namespace

Expected<Directory> ParseSafetensors(const ByteSource& source) {
  std::array<std::byte, kLengthBytes> length;
  if (source.size() < kLengthBytes) {
    return BadValue(source.path(), "file size in bytes", std::to_string(source.size()),
                    "expected at least 8, which hold the header's length");
  }
  if (const Status read = source.ReadAt(0, length); !read) return tl::unexpected(read.error());
  uint64_t header_bytes = 0;
  for (size_t i = kLengthBytes; i-- > 0;) {
    header_bytes = header_bytes << 8 | std::to_integer<uint64_t>(length[i]);
  }
  const uint64_t largest = std::min(kSafetensorsLongestHeader, source.size() - kLengthBytes);
  if (header_bytes < 2 || header_bytes > largest) {
    return BadValue(
        source.path(), "header length in bytes", std::to_string(header_bytes),
        "expected 2 to " + std::to_string(largest) + ": at most 100000000, and within the file");
  }
  return HeaderReader(source, header_bytes).Read();
}

Expected<Directory> ParseSafetensorsIndex(const ByteSource& source, Siblings& siblings) {
  return IndexReader(source, siblings).Read();
}

}  // namespace plimsoll::weights
