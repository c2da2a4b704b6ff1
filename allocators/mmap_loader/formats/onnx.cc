#include "allocators/mmap_loader/formats/onnx.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>

#include <array>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/mmap_loader/formats/protobuf_source.h"

namespace plimsoll::weights {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using onnx::TensorProto;

constexpr uint64_t kLongestName = 65535;
constexpr size_t kLargestRank = 64;

// TensorProto.DataType by number; 0 is undefined and 8 a string. The installed onnx.proto
// ends at 16, newer models go on.
constexpr int kStringType = 8;
constexpr std::array<std::optional<DType>, 24> kTypes = {
    std::nullopt,       DType::kF32,  DType::kU8,     DType::kI8,         DType::kU16,
    DType::kI16,        DType::kI32,  DType::kI64,    std::nullopt,       DType::kBool,
    DType::kF16,        DType::kF64,  DType::kU32,    DType::kU64,        DType::kC64,
    DType::kC128,       DType::kBF16, DType::kF8E4M3, DType::kF8E4M3FNUZ, DType::kF8E5M2,
    DType::kF8E5M2FNUZ, DType::kU4,   DType::kI4,     DType::kF4,
};

// One initializer as it is being read.
struct Initializer {
  std::string name;
  int type = 0;
  std::vector<uint64_t> shape;
  bool external = false;
  std::map<std::string, std::string> external_fields;
  // Of raw_data, float_data or double_data: where the array stands in the file.
  std::optional<uint64_t> array_offset;
  uint64_t array_bytes = 0;
  // Of the fields that are not arrays in the file.
  bool has_numbers = false;
  std::vector<uint64_t> numbers;
};

class OnnxReader {
 public:
  OnnxReader(const ByteSource& source, Siblings& siblings)
      : source_(source),
        siblings_(siblings),
        stream_(source),
        coded_(&stream_),
        builder_(Format::kOnnx, source.path()) {
    coded_.SetTotalBytesLimit(INT_MAX);
    builder_.AddFile(source.path(), source.size());
  }

  Expected<Directory> Read() {
    if (source_.size() > INT_MAX) {
      return BadValue(source_.path(), "file size in bytes", std::to_string(source_.size()),
                      "expected at most 2147483647, protobuf's limit");
    }
    Status read = ReadModel();
    // A parser that stopped because the disk did says so.
    if (!read && !stream_.status()) read = stream_.status();
    if (!read) return tl::unexpected(read.error());
    for (uint32_t file = 0; file < builder_.so_far().files().size(); ++file) {
      const Status layout = builder_.CheckLayout(file, {.aliases = true, .largest_gap = kAnyGap});
      if (!layout) return tl::unexpected(layout.error());
    }
    return builder_.Take();
  }

 private:
  tl::unexpected<Error> Malformed(std::string_view what) {
    return BadValue(source_.path(), "protobuf at byte " + std::to_string(coded_.CurrentPosition()),
                    what, "expected an ONNX ModelProto");
  }

  // Calls `field(number, tag)` for each field of the message that ends at the current limit.
  // `field` returns an error, or false to have the field skipped.
  template <typename Field>
  Status ReadFields(std::string_view message, Field&& field) {
    while (const uint32_t tag = coded_.ReadTag()) {
      const Expected<bool> taken = field(WireFormatLite::GetTagFieldNumber(tag), tag);
      if (!taken) return tl::unexpected(taken.error());
      if (!*taken && !SkipField(tag)) return Malformed(std::string(message) + ": a field is cut");
    }
    if (!coded_.ConsumedEntireMessage()) {
      return Malformed(std::string(message) + ": the message is cut or malformed");
    }
    return {};
  }

  bool SkipField(uint32_t tag) {
    // ReadVarint32-sized lengths only: WireFormatLite would take a negative one for 0.
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      return WireFormatLite::SkipField(&coded_, tag);
    }
    const std::optional<int> length = ReadLength();
    return length && coded_.Skip(*length);
  }

  // Of a length-delimited field: within what is left.
  std::optional<int> ReadLength() {
    uint64_t length = 0;
    if (!coded_.ReadVarint64(&length)) return std::nullopt;
    const int left = coded_.BytesUntilLimit();
    const uint64_t available =
        left >= 0 ? static_cast<uint64_t>(left)
                  : source_.size() - static_cast<uint64_t>(coded_.CurrentPosition());
    if (length > available) return std::nullopt;
    return static_cast<int>(length);
  }

  // Calls `read()` with the limit at the end of a length-delimited field.
  template <typename ReadMessage>
  Status ReadNested(uint32_t tag, std::string_view name, ReadMessage&& read) {
    const bool delimited =
        WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    const std::optional<int> length = delimited ? ReadLength() : std::nullopt;
    if (!length) return Malformed(std::string(name) + ": the length is not within the file");
    const CodedInputStream::Limit limit = coded_.PushLimit(*length);
    Status done = read();
    coded_.PopLimit(limit);
    return done;
  }

  Status ReadModel() {
    uint64_t ir_version = 0;
    bool has_graph = false;
    const Status read = ReadFields("model", [&](int number, uint32_t tag) -> Expected<bool> {
      if (number == onnx::ModelProto::kIrVersionFieldNumber && IsVarint(tag)) {
        if (!coded_.ReadVarint64(&ir_version)) return Malformed("ir_version");
        return true;
      }
      if (number != onnx::ModelProto::kGraphFieldNumber) return false;
      has_graph = true;
      const Status graph = ReadNested(tag, "graph", [&] { return ReadGraph(); });
      if (!graph) return tl::unexpected(graph.error());
      return true;
    });
    if (!read) return read;
    if (ir_version == 0) {
      return BadValue(source_.path(), "ir_version", "0", "expected 1 or more");
    }
    if (!has_graph) return BadValue(source_.path(), "graph", "missing", "expected a graph");
    return {};
  }

  static bool IsVarint(uint32_t tag) {
    return WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_VARINT;
  }

  Status ReadGraph() {
    return ReadFields("graph", [&](int number, uint32_t tag) -> Expected<bool> {
      if (number != onnx::GraphProto::kInitializerFieldNumber) return false;
      Initializer initializer;
      Status read = ReadNested(tag, "initializer", [&] { return ReadInitializer(initializer); });
      if (read) read = Add(initializer);
      if (!read) return tl::unexpected(read.error());
      return true;
    });
  }

  Status ReadInitializer(Initializer& out) {
    return ReadFields("initializer", [&](int number, uint32_t tag) -> Expected<bool> {
      switch (number) {
        case TensorProto::kDimsFieldNumber:
          return Taken(ReadVarints(tag, "dims", kLargestRank, out.shape));
        case TensorProto::kDataTypeFieldNumber: {
          uint64_t type = 0;
          if (!IsVarint(tag) || !coded_.ReadVarint64(&type)) return Malformed("data_type");
          out.type = type < kTypes.size() ? static_cast<int>(type) : -1;
          return true;
        }
        case TensorProto::kNameFieldNumber:
          return Taken(ReadText(tag, "name", out.name));
        case TensorProto::kRawDataFieldNumber:
          return Taken(ReadArray(tag, "raw_data", out));
        case TensorProto::kFloatDataFieldNumber:
          return Taken(ReadArray(tag, "float_data", out));
        case TensorProto::kDoubleDataFieldNumber:
          return Taken(ReadArray(tag, "double_data", out));
        case TensorProto::kInt32DataFieldNumber:
        case TensorProto::kInt64DataFieldNumber:
        case TensorProto::kUint64DataFieldNumber:
          out.has_numbers = true;
          return Taken(ReadVarints(tag, "integer data", SIZE_MAX, out.numbers));
        case TensorProto::kExternalDataFieldNumber:
          return Taken(ReadNested(tag, "external_data", [&] { return ReadExternal(out); }));
        case TensorProto::kDataLocationFieldNumber: {
          uint64_t location = 0;
          if (!IsVarint(tag) || !coded_.ReadVarint64(&location)) return Malformed("data_location");
          out.external = location == TensorProto::EXTERNAL;
          return true;
        }
        default:
          return false;
      }
    });
  }

  static Expected<bool> Taken(Status status) {
    if (!status) return tl::unexpected(status.error());
    return true;
  }

  // Packed or one by one.
  Status ReadVarints(uint32_t tag, std::string_view name, size_t most, std::vector<uint64_t>& out) {
    if (IsVarint(tag)) {
      uint64_t value = 0;
      if (out.size() >= most || !coded_.ReadVarint64(&value)) return Malformed(name);
      out.push_back(value);
      return {};
    }
    return ReadNested(tag, name, [&]() -> Status {
      while (coded_.BytesUntilLimit() > 0) {
        uint64_t value = 0;
        if (out.size() >= most || !coded_.ReadVarint64(&value)) return Malformed(name);
        out.push_back(value);
      }
      return {};
    });
  }

  Status ReadText(uint32_t tag, std::string_view name, std::string& out) {
    return ReadNested(tag, name, [&]() -> Status {
      const int length = coded_.BytesUntilLimit();
      if (static_cast<uint64_t>(length) > kLongestName || !coded_.ReadString(&out, length)) {
        return Malformed(std::string(name) + ": expected at most 65535 bytes");
      }
      return {};
    });
  }

  // Remembers where the bytes stand and passes over them.
  Status ReadArray(uint32_t tag, std::string_view name, Initializer& out) {
    return ReadNested(tag, name, [&]() -> Status {
      const int length = coded_.BytesUntilLimit();
      if (out.array_offset && length > 0 && out.array_bytes > 0) {
        return Malformed(std::string(name) + ": a second array for one tensor");
      }
      if (!out.array_offset || length > 0) {
        out.array_offset = static_cast<uint64_t>(coded_.CurrentPosition());
        out.array_bytes = static_cast<uint64_t>(length);
      }
      if (!coded_.Skip(length)) return Malformed(name);
      return {};
    });
  }

  Status ReadExternal(Initializer& out) {
    std::string key;
    std::string value;
    const Status read =
        ReadFields("external_data", [&](int number, uint32_t tag) -> Expected<bool> {
          if (number == onnx::StringStringEntryProto::kKeyFieldNumber) {
            return Taken(ReadText(tag, "key", key));
          }
          if (number == onnx::StringStringEntryProto::kValueFieldNumber) {
            return Taken(ReadText(tag, "value", value));
          }
          return false;
        });
    if (!read) return read;
    if (!out.external_fields.emplace(key, value).second) {
      return BadValue(source_.path(), "external_data", Printable(key),
                      "expected each key once: this one is a duplicate");
    }
    return {};
  }

  Status Add(const Initializer& tensor) {
    if (tensor.type == kStringType) {
      builder_.AddMetadata("string initializer", tensor.name);
      return {};
    }
    const std::optional<DType> dtype =
        tensor.type >= 0 ? kTypes[static_cast<size_t>(tensor.type)] : std::nullopt;
    if (!dtype) {
      return BadValue(source_.path(), TensorField(tensor.name, "data_type").Text(),
                      tensor.type < 0 ? "unknown" : std::to_string(tensor.type),
                      "expected 1 to 23");
    }
    const std::optional<uint64_t> bytes = ByteCount(*dtype, tensor.shape);
    if (tensor.external) return AddExternal(tensor, *dtype, bytes);
    if (tensor.has_numbers) return AddNumbers(tensor, *dtype);
    return builder_.Add({.name = tensor.name,
                         .dtype = *dtype,
                         .shape = tensor.shape,
                         .file = 0,
                         .offset = tensor.array_offset.value_or(0),
                         .bytes = tensor.array_bytes},
                        "raw_data");
  }

  // Each number takes the bytes of an element; two 4-bit elements share one.
  Status AddNumbers(const Initializer& tensor, DType dtype) {
    const size_t element = std::max<size_t>(InfoOf(dtype).block_bits / 8, 1);
    std::vector<std::byte> bytes(tensor.numbers.size() * element);
    for (size_t i = 0; i < tensor.numbers.size(); ++i) {
      // Little-endian: the low bytes come first.
      std::memcpy(bytes.data() + i * element, &tensor.numbers[i],
                  std::min(element, sizeof(uint64_t)));
    }
    return builder_.AddInline(tensor.name, dtype, tensor.shape, bytes);
  }

  Status AddExternal(const Initializer& tensor, DType dtype, std::optional<uint64_t> bytes) {
    const auto location = tensor.external_fields.find("location");
    const FieldName field = TensorField(tensor.name, "external_data: location");
    if (location == tensor.external_fields.end()) {
      return BadValue(source_.path(), field.Text(), "missing", "expected a file name");
    }
    const Expected<uint32_t> file = FileNamed(location->second, field);
    if (!file) return tl::unexpected(file.error());
    const uint64_t file_bytes = builder_.so_far().files()[*file].bytes;
    uint64_t offset = 0;
    if (Status read = ReadNumber(tensor, "offset", offset); !read) return read;
    // Without a length it is as long as its shape says.
    uint64_t length = bytes.value_or(file_bytes);
    if (Status read = ReadNumber(tensor, "length", length); !read) return read;
    return builder_.Add({.name = tensor.name,
                         .dtype = dtype,
                         .shape = tensor.shape,
                         .file = *file,
                         .offset = offset,
                         .bytes = length},
                        "external_data");
  }

  // Leaves `to` as it is when there is no such key.
  Status ReadNumber(const Initializer& tensor, const std::string& key, uint64_t& to) {
    const auto entry = tensor.external_fields.find(key);
    if (entry == tensor.external_fields.end()) return {};
    const std::string& text = entry->second;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, to);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
      return BadValue(source_.path(), TensorField(tensor.name, "external_data: " + key).Text(),
                      Printable(text), "expected an integer from 0 to 18446744073709551615");
    }
    return {};
  }

  Expected<uint32_t> FileNamed(const std::string& name, FieldName field) {
    const auto known = files_.find(name);
    if (known != files_.end()) return known->second;
    const auto source = siblings_.Open(name, field);
    if (!source) return tl::unexpected(source.error());
    const uint32_t file = builder_.AddFile((*source)->path(), (*source)->size());
    files_.emplace(name, file);
    return file;
  }

  const ByteSource& source_;
  Siblings& siblings_;
  ProtobufSource stream_;
  CodedInputStream coded_;
  DirectoryBuilder builder_;
  std::map<std::string, uint32_t> files_;  // by location
};

}  // namespace

Expected<Directory> ParseOnnx(const ByteSource& source, Siblings& siblings) {
  return OnnxReader(source, siblings).Read();
}

}  // namespace plimsoll::weights
