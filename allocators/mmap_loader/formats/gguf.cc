#include "allocators/mmap_loader/formats/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "allocators/mmap_loader/formats/byte_cursor.h"

namespace plimsoll::weights {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kFirstVersion = 2;
constexpr uint32_t kLastVersion = 3;
constexpr uint64_t kLongestKey = 65535;
constexpr uint64_t kLongestName = 64;
constexpr uint32_t kLargestRank = 4;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kLargestAlignment = uint64_t{1} << 30;
constexpr int kDeepestArray = 8;
constexpr size_t kLongestMetadata = 1000;
// A key of one byte with a value of one; a name of one byte without dimensions.
constexpr uint64_t kSmallestKeyValue = 8 + 1 + 4 + 1;
constexpr uint64_t kSmallestTensor = 8 + 1 + 4 + 4 + 8;

enum ValueType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
  kValueTypes,
};

struct ValueTypeInfo {
  const char* name;
  uint64_t bytes;  // 0: not of one size
};
constexpr std::array<ValueTypeInfo, kValueTypes> kValueTypeInfos = {{{"uint8", 1},
                                                                     {"int8", 1},
                                                                     {"uint16", 2},
                                                                     {"int16", 2},
                                                                     {"uint32", 4},
                                                                     {"int32", 4},
                                                                     {"float32", 4},
                                                                     {"bool", 1},
                                                                     {"string", 0},
                                                                     {"array", 0},
                                                                     {"uint64", 8},
                                                                     {"int64", 8},
                                                                     {"float64", 8}}};

// ggml's tensor types by number; the absent ones were withdrawn.
constexpr std::array<std::optional<DType>, 40> kTensorTypes = {
    DType::kF32,     DType::kF16,   DType::kQ4_0,   DType::kQ4_1,  std::nullopt,    std::nullopt,
    DType::kQ5_0,    DType::kQ5_1,  DType::kQ8_0,   DType::kQ8_1,  DType::kQ2_K,    DType::kQ3_K,
    DType::kQ4_K,    DType::kQ5_K,  DType::kQ6_K,   DType::kQ8_K,  DType::kIQ2_XXS, DType::kIQ2_XS,
    DType::kIQ3_XXS, DType::kIQ1_S, DType::kIQ4_NL, DType::kIQ3_S, DType::kIQ2_S,   DType::kIQ4_XS,
    DType::kI8,      DType::kI16,   DType::kI32,    DType::kI64,   DType::kF64,     DType::kIQ1_M,
    DType::kBF16,    std::nullopt,  std::nullopt,   std::nullopt,  DType::kTQ1_0,   DType::kTQ2_0,
    std::nullopt,    std::nullopt,  std::nullopt,   DType::kMXFP4,
};

struct PendingTensor {
  std::string name;
  DType dtype;
  std::vector<uint64_t> shape;
  uint64_t offset;
  uint64_t bytes;
};

class GgufReader {
 public:
  explicit GgufReader(const ByteSource& source)
      : path_(source.path()), cursor_(source), builder_(Format::kGguf, source.path()) {
    builder_.AddFile(source.path(), source.size());
  }

  Expected<Directory> Read() {
    const Status read = ReadAll();
    if (!read) return tl::unexpected(read.error());
    return builder_.Take();
  }

 private:
  // Reads a number into `to`.
  template <typename Number>
  Status Get(FieldName field, Number& to) {
    const Expected<Number> number = cursor_.Read<Number>(field);
    if (!number) return tl::unexpected(number.error());
    to = *number;
    return {};
  }

  Status ReadAll() {
    uint64_t tensors = 0;
    uint64_t pairs = 0;
    if (Status read = ReadHeader(tensors, pairs); !read) return read;
    for (uint64_t i = 0; i < pairs; ++i) {
      if (Status read = ReadPair(); !read) return read;
    }
    for (uint64_t i = 0; i < tensors; ++i) {
      if (Status read = ReadTensor(); !read) return read;
    }
    const uint64_t data_begin = Padded(cursor_.position());
    for (const PendingTensor& tensor : pending_) {
      const Status added = builder_.Add({.name = tensor.name,
                                         .dtype = tensor.dtype,
                                         .shape = tensor.shape,
                                         .offset = data_begin + tensor.offset,
                                         .bytes = tensor.bytes},
                                        "offset");
      if (!added) return added;
    }
    return builder_.CheckLayout(0,
                                {.largest_gap = alignment_ - 1,
                                 .data_begin = pending_.empty() ? cursor_.position() : data_begin});
  }

  Status ReadHeader(uint64_t& tensors, uint64_t& pairs) {
    uint32_t magic = 0;
    uint32_t version = 0;
    if (Status read = Get({.field = "magic"}, magic); !read) return read;
    if (magic != kMagic) {
      return BadValue(path_, "magic",
                      Printable({reinterpret_cast<const char*>(&magic), sizeof(magic)}),
                      "expected 'GGUF'");
    }
    if (Status read = Get({.field = "version"}, version); !read) return read;
    if (version < kFirstVersion || version > kLastVersion) {
      const bool swapped = (version & 0xffff) == 0;
      return BadValue(path_, "version", std::to_string(version),
                      swapped ? "expected 2 or 3 in little-endian order; this file is big-endian"
                              : "expected 2 or 3");
    }
    if (Status read = Get({.field = "tensor count"}, tensors); !read) return read;
    if (Status read = Get({.field = "key count"}, pairs); !read) return read;
    if (Status fits = CheckCount("key count", pairs, kSmallestKeyValue); !fits) return fits;
    return CheckCount("tensor count", tensors, kSmallestTensor);
  }

  // So many things cannot be in the bytes that are left.
  Status CheckCount(const char* field, uint64_t count, uint64_t smallest) const {
    if (count <= cursor_.remaining() / smallest) return {};
    return BadValue(path_, field, std::to_string(count),
                    "expected at most " + std::to_string(cursor_.remaining() / smallest) +
                        ", for which the remaining " + std::to_string(cursor_.remaining()) +
                        " bytes have room");
  }

  Status ReadPair() {
    const FieldName key_field{.field = "key"};
    Expected<std::string> key = cursor_.ReadString(key_field, kLongestKey);
    if (!key) return tl::unexpected(key.error());
    if (key->empty()) return BadValue(path_, "key", "", "expected at least 1 byte");
    if (!keys_.insert(*key).second) {
      return BadValue(path_, "key", Printable(*key),
                      "expected each key once: this one is a duplicate");
    }
    const FieldName field{"key", *key, ""};
    uint32_t type = 0;
    if (Status read = Get(field, type); !read) return read;
    std::string text;
    if (Status read = ReadValue(field, type, 0, text); !read) return read;
    if (*key == "general.alignment") {
      if (Status set = SetAlignment(type, text); !set) return set;
    }
    if (text.size() > kLongestMetadata) text.replace(kLongestMetadata, 1, "...");
    builder_.AddMetadata(std::move(*key), std::move(text));
    return {};
  }

  Status SetAlignment(uint32_t type, const std::string& text) {
    const uint64_t value = type == kUint32 ? std::stoull(text) : 0;
    if (!std::has_single_bit(value) || value > kLargestAlignment) {
      return BadValue(
          path_, FieldName{"key", "general.alignment", ""}.Text(), text,
          "expected a uint32 that is a power of two up to " + std::to_string(kLargestAlignment));
    }
    alignment_ = value;
    return {};
  }

  Status CheckType(FieldName field, uint32_t type) const {
    if (type < kValueTypes) return {};
    return BadValue(path_, field.Text() + ": value type", std::to_string(type),
                    "expected 0 to " + std::to_string(kValueTypes - 1));
  }

  // A value as text; arrays as their type and length.
  Status ReadValue(FieldName field, uint32_t type, int depth, std::string& text) {
    if (Status known = CheckType(field, type); !known) return known;
    switch (type) {
      case kUint8:
        return ReadNumber<uint8_t>(field, text);
      case kInt8:
        return ReadNumber<int8_t>(field, text);
      case kUint16:
        return ReadNumber<uint16_t>(field, text);
      case kInt16:
        return ReadNumber<int16_t>(field, text);
      case kUint32:
        return ReadNumber<uint32_t>(field, text);
      case kInt32:
        return ReadNumber<int32_t>(field, text);
      case kUint64:
        return ReadNumber<uint64_t>(field, text);
      case kInt64:
        return ReadNumber<int64_t>(field, text);
      case kFloat32:
        return ReadNumber<float>(field, text);
      case kFloat64:
        return ReadNumber<double>(field, text);
      case kBool:
        return ReadBool(field, text);
      case kString: {
        Expected<std::string> value = cursor_.ReadStringStart(field, kLongestMetadata + 1);
        if (!value) return tl::unexpected(value.error());
        text = std::move(*value);
        return {};
      }
      default:
        return ReadArray(field, depth + 1, text);
    }
  }

  template <typename Number>
  Status ReadNumber(FieldName field, std::string& text) {
    Number number = 0;
    Status read = Get(field, number);
    text = std::to_string(number);
    return read;
  }

  Status ReadBool(FieldName field, std::string& text) {
    uint8_t value = 0;
    if (Status read = Get(field, value); !read) return read;
    if (value > 1) {
      return BadValue(path_, field.Text(), std::to_string(value), "expected a bool, 0 or 1");
    }
    text = value == 1 ? "true" : "false";
    return {};
  }

  Status ReadArray(FieldName field, int depth, std::string& text) {
    if (depth > kDeepestArray) {
      return BadValue(path_, field.Text() + ": array depth", std::to_string(depth),
                      "expected at most " + std::to_string(kDeepestArray));
    }
    uint32_t type = 0;
    uint64_t count = 0;
    if (Status read = Get(field, type); !read) return read;
    if (Status known = CheckType(field, type); !known) return known;
    if (Status read = Get(field, count); !read) return read;
    const ValueTypeInfo& info = kValueTypeInfos[type];
    // A string takes at least its length, an array its type and length.
    const uint64_t smallest = info.bytes != 0 ? info.bytes : (type == kString ? 8 : 12);
    if (Status fits = CheckCount(field.Text().c_str(), count, smallest); !fits) return fits;
    text = std::to_string(count) + " x " + info.name;
    if (info.bytes != 0) return cursor_.Skip(count * info.bytes, field);
    for (uint64_t i = 0; i < count; ++i) {
      std::string ignored;
      Status read =
          type == kString ? cursor_.SkipString(field) : ReadArray(field, depth + 1, ignored);
      if (!read) return read;
    }
    return {};
  }

  Status ReadTensor() {
    Expected<std::string> name = cursor_.ReadString({.field = "tensor name"}, kLongestName);
    if (!name) return tl::unexpected(name.error());
    PendingTensor tensor{
        .name = std::move(*name), .dtype = DType::kU8, .shape = {}, .offset = 0, .bytes = 0};
    uint32_t rank = 0;
    if (Status read = Get(TensorField(tensor.name, "dimensions"), rank); !read) return read;
    if (rank > kLargestRank) {
      return BadValue(path_, TensorField(tensor.name, "dimensions").Text(), std::to_string(rank),
                      "expected at most " + std::to_string(kLargestRank));
    }
    tensor.shape.resize(rank);
    for (uint32_t i = rank; i-- > 0;) {
      if (Status read = Get(TensorField(tensor.name, "shape"), tensor.shape[i]); !read) return read;
    }
    uint32_t type = 0;
    if (Status read = Get(TensorField(tensor.name, "type"), type); !read) return read;
    if (type >= kTensorTypes.size() || !kTensorTypes[type]) {
      return BadValue(path_, TensorField(tensor.name, "type").Text(), std::to_string(type),
                      "expected a ggml type from 0 to " + std::to_string(kTensorTypes.size() - 1) +
                          " that is in use");
    }
    tensor.dtype = *kTensorTypes[type];
    if (Status read = Get(TensorField(tensor.name, "offset"), tensor.offset); !read) return read;
    if (Status placed = Place(tensor); !placed) return placed;
    pending_.push_back(std::move(tensor));
    return {};
  }

  // Checks shape and offset, and moves on to where the next tensor must start.
  Status Place(PendingTensor& tensor) {
    const uint64_t block = InfoOf(tensor.dtype).block_elements;
    const std::optional<uint64_t> bytes = ByteCount(tensor.dtype, tensor.shape);
    const uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (!bytes || row % block != 0) {
      return BadValue(path_, TensorField(tensor.name, "shape").Text(), ShapeText(tensor.shape),
                      "expected rows of whole blocks of " + std::to_string(block) +
                          " elements and less than 2^61 bytes");
    }
    if (tensor.offset % alignment_ != 0) {
      return BadValue(path_, TensorField(tensor.name, "offset").Text(),
                      std::to_string(tensor.offset),
                      "expected a multiple of the alignment " + std::to_string(alignment_));
    }
    if (tensor.offset != data_bytes_) {
      return BadValue(
          path_, TensorField(tensor.name, "offset").Text(), std::to_string(tensor.offset),
          "expected " + std::to_string(data_bytes_) + ", the padded sum of the tensors before");
    }
    tensor.bytes = *bytes;
    if (__builtin_add_overflow(data_bytes_, Padded(*bytes), &data_bytes_) ||
        data_bytes_ > INT64_MAX) {
      return BadValue(path_, TensorField(tensor.name, "size in bytes").Text(),
                      std::to_string(*bytes), "expected all tensors to be less than 2^63 together");
    }
    return {};
  }

  // REQUIRES: bytes < 2^62.
  uint64_t Padded(uint64_t bytes) const { return (bytes + alignment_ - 1) & ~(alignment_ - 1); }

  const std::string& path_;
  ByteCursor cursor_;
  DirectoryBuilder builder_;
  uint64_t alignment_ = kDefaultAlignment;
  uint64_t data_bytes_ = 0;  // padded sum so far
  std::unordered_set<std::string> keys_;
  std::vector<PendingTensor> pending_;
};

}  // namespace

Expected<Directory> ParseGguf(const ByteSource& source) { return GgufReader(source).Read(); }

}  // namespace plimsoll::weights
