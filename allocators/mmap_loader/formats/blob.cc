#include "allocators/mmap_loader/formats/blob.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/formats/json_text.h"

namespace plimsoll::weights {
namespace {

constexpr size_t kLargestRank = 64;

// A value in its document.
using Slot = simdjson::simdjson_result<JsonText::Value>;

class BlobReader {
 public:
  BlobReader(const ByteSource& source, Siblings& siblings)
      : source_(source), siblings_(siblings), builder_(Format::kBlob, source.path()) {}

  Expected<Directory> Read() {
    if (source_.size() > kBlobLongestIndex) {
      return BadValue(source_.path(), "index size in bytes", std::to_string(source_.size()),
                      "expected at most " + std::to_string(kBlobLongestIndex));
    }
    auto text = JsonText::Read(source_, 0, source_.size(), "index");
    if (!text) return tl::unexpected(text.error());
    text_ = text->get();
    Status read = ReadIndex();
    for (uint32_t file = 0; read && file < builder_.so_far().files().size(); ++file) {
      read = builder_.CheckLayout(file, {.largest_gap = alignment_ - 1, .alignment = alignment_});
    }
    if (!read) return tl::unexpected(read.error());
    return builder_.Take();
  }

 private:
  // Calls `take(key, value)` for each field of an object. A key that comes twice is an
  // error.
  template <typename Take>
  Status ForEachField(JsonText::Object object, FieldName where, Take&& take) {
    std::set<std::string, std::less<>> seen;
    for (auto field : object) {
      std::string_view key;
      const simdjson::error_code code = field.unescaped_key().get(key);
      if (code != simdjson::SUCCESS) return text_->Syntax(code);
      if (!seen.emplace(key).second) {
        return BadValue(source_.path(), where.Text(), Printable(key),
                        "expected each field once: this one is a duplicate");
      }
      if (const Status taken = take(key, Slot(field.value())); !taken) return taken;
    }
    return {};
  }

  // Calls `take(object)` for each element of an array of objects.
  template <typename Take>
  Status ForEachObject(Slot value, std::string_view field, Take&& take) {
    simdjson::ondemand::array array;
    const simdjson::error_code code = value.get_array().get(array);
    if (code != simdjson::SUCCESS) {
      return text_->Wrong(code, {.field = field}, "expected an array of objects");
    }
    for (auto element : array) {
      const Expected<JsonText::Object> object = text_->ObjectAt(element, {.field = field});
      if (!object) return tl::unexpected(object.error());
      if (const Status taken = take(*object); !taken) return taken;
    }
    return {};
  }

  Status Unknown(FieldName where, std::string_view key, std::string_view known) {
    return BadValue(source_.path(), where.Text(), Printable(key),
                    "expected the fields " + std::string(known));
  }

  Status ReadIndex() {
    const Expected<JsonText::Object> root = text_->Root();
    if (!root) return tl::unexpected(root.error());
    const Status read =
        ForEachField(*root, {.field = "index"},
                     [&](std::string_view key, Slot value) { return ReadTopField(key, value); });
    if (!read) return read;
    if (!has_tensors_) {
      return BadValue(source_.path(), "tensors", "missing",
                      "expected format, version, byte_order, alignment, files and tensors");
    }
    return text_->CheckEnd();
  }

  Status ReadTopField(std::string_view key, Slot value) {
    if (key == "format") return Demand(value, "format", kBlobFormat, has_format_);
    if (key == "byte_order") return Demand(value, "byte_order", "little", has_byte_order_);
    if (key == "version" || key == "alignment") return ReadNumber(key, value);
    if (key == "metadata") return ReadMetadata(value);
    if (key == "files") {
      has_files_ = true;
      return ForEachObject(value, "files", [&](JsonText::Object file) { return ReadFile(file); });
    }
    if (key == "tensors") {
      if (!has_format_ || !has_version_ || !has_byte_order_ || !has_alignment_ || !has_files_) {
        return BadValue(source_.path(), "tensors", "too early",
                        "expected format, version, byte_order, alignment and files before");
      }
      has_tensors_ = true;
      return ForEachObject(value, "tensors",
                           [&](JsonText::Object tensor) { return ReadTensor(tensor); });
    }
    return Unknown({.field = "index"}, key,
                   "format, version, byte_order, alignment, metadata, files and tensors");
  }

  Status Demand(Slot value, std::string_view field, std::string_view wanted, bool& has) {
    const Expected<std::string_view> text = text_->StringAt(value, {.field = field});
    if (!text) return tl::unexpected(text.error());
    has = *text == wanted;
    if (has) return {};
    return BadValue(source_.path(), field, Printable(*text),
                    "expected '" + std::string(wanted) + "'");
  }

  Status ReadNumber(std::string_view field, Slot value) {
    const Expected<uint64_t> number = text_->UnsignedAt(value, {.field = field});
    if (!number) return tl::unexpected(number.error());
    if (field == "version") {
      has_version_ = *number == kBlobVersion;
      if (has_version_) return {};
      return BadValue(source_.path(), field, std::to_string(*number),
                      "expected " + std::to_string(kBlobVersion));
    }
    has_alignment_ = std::has_single_bit(*number) && *number <= kBlobLargestAlignment;
    alignment_ = *number;
    if (has_alignment_) return {};
    return BadValue(source_.path(), field, std::to_string(*number),
                    "expected a power of two up to " + std::to_string(kBlobLargestAlignment));
  }

  Status ReadMetadata(Slot value) {
    const Expected<JsonText::Object> object = text_->ObjectAt(value, {.field = "metadata"});
    if (!object) return tl::unexpected(object.error());
    return ForEachField(
        *object, {.field = "metadata"}, [&](std::string_view key, Slot entry) -> Status {
          const Expected<std::string_view> text = text_->StringAt(entry, {"metadata", key, ""});
          if (!text) return tl::unexpected(text.error());
          builder_.AddMetadata(std::string(key), std::string(*text));
          return {};
        });
  }

  Status ReadFile(JsonText::Object object) {
    std::optional<std::string> path;
    std::optional<uint64_t> bytes;
    const Status read =
        ForEachField(object, {.field = "files"}, [&](std::string_view key, Slot value) -> Status {
          if (key == "path") return Store(text_->StringAt(value, {.field = "files: path"}), path);
          if (key == "bytes") {
            return Store(text_->UnsignedAt(value, {.field = "files: bytes"}), bytes);
          }
          return Unknown({.field = "files"}, key, "path and bytes");
        });
    if (!read) return read;
    if (!path || !bytes) {
      return BadValue(source_.path(), "files", !path ? "no path" : "no bytes",
                      "expected path and bytes");
    }
    const auto file = siblings_.Open(*path, {.field = "files: path"});
    if (!file) return tl::unexpected(file.error());
    if ((*file)->size() != *bytes) {
      return BadValue((*file)->path(), "file size in bytes", std::to_string((*file)->size()),
                      "expected " + std::to_string(*bytes) + ", as " + source_.path() + " says");
    }
    builder_.AddFile((*file)->path(), *bytes);
    return {};
  }

  template <typename From, typename To>
  static Status Store(const Expected<From>& from, std::optional<To>& to) {
    if (!from) return tl::unexpected(from.error());
    to = To(*from);
    return {};
  }

  struct Fields {
    std::optional<std::string> name, dtype, xxh3;
    std::optional<uint64_t> file, offset, bytes;
    bool has_shape = false;
    // Valid while `name` is.
    std::string_view Name() const { return name ? std::string_view(*name) : ""; }
  };

  Status ReadTensor(JsonText::Object object) {
    Fields fields;
    shape_.clear();
    const Status read =
        ForEachField(object, {.field = "tensors"}, [&](std::string_view key, Slot value) -> Status {
          const FieldName where = TensorField(fields.Name(), key);
          if (key == "name") return Store(text_->StringAt(value, where), fields.name);
          if (key == "dtype") return Store(text_->StringAt(value, where), fields.dtype);
          if (key == "xxh3") return Store(text_->StringAt(value, where), fields.xxh3);
          if (key == "file") return Store(text_->UnsignedAt(value, where), fields.file);
          if (key == "offset") return Store(text_->UnsignedAt(value, where), fields.offset);
          if (key == "bytes") return Store(text_->UnsignedAt(value, where), fields.bytes);
          if (key == "shape") {
            fields.has_shape = true;
            return text_->UnsignedsAt(value, where, kLargestRank, shape_);
          }
          return Unknown(where, key, "name, dtype, shape, file, offset, bytes and xxh3");
        });
    if (!read) return read;
    if (!fields.name || !fields.dtype || !fields.has_shape || !fields.file || !fields.offset ||
        !fields.bytes) {
      return BadValue(source_.path(), TensorField(fields.Name(), "fields").Text(), "incomplete",
                      "expected name, dtype, shape, file, offset and bytes");
    }
    return AddTensor(fields);
  }

  Status AddTensor(const Fields& fields) {
    const std::optional<DType> dtype = DTypeNamed(*fields.dtype);
    if (!dtype) {
      return BadValue(source_.path(), TensorField(*fields.name, "dtype").Text(),
                      Printable(*fields.dtype),
                      "expected one of " + SafetensorsNames() + " or ggml's types");
    }
    const size_t files = builder_.so_far().files().size();
    if (*fields.file >= files) {
      return BadValue(source_.path(), TensorField(*fields.name, "file").Text(),
                      std::to_string(*fields.file), "expected less than " + std::to_string(files));
    }
    const Status added = builder_.Add({.name = *fields.name,
                                       .dtype = *dtype,
                                       .shape = shape_,
                                       .file = static_cast<uint32_t>(*fields.file),
                                       .offset = *fields.offset,
                                       .bytes = *fields.bytes},
                                      "offset and bytes");
    if (!added || !fields.xxh3) return added;
    const std::optional<uint64_t> checksum = ChecksumIn(*fields.xxh3);
    if (!checksum) {
      return BadValue(source_.path(), TensorField(*fields.name, "xxh3").Text(),
                      Printable(*fields.xxh3), "expected 16 hexadecimal digits");
    }
    return builder_.SetChecksum(*fields.name, *checksum);
  }

  const ByteSource& source_;
  Siblings& siblings_;
  DirectoryBuilder builder_;
  JsonText* text_ = nullptr;
  bool has_format_ = false;
  bool has_version_ = false;
  bool has_byte_order_ = false;
  bool has_alignment_ = false;
  bool has_files_ = false;
  bool has_tensors_ = false;
  uint64_t alignment_ = 1;
  std::vector<uint64_t> shape_;
};

}  // namespace

Expected<Directory> ParseBlob(const ByteSource& source, Siblings& siblings) {
  return BlobReader(source, siblings).Read();
}

}  // namespace plimsoll::weights
