#include "allocators/mmap_loader/dtype.h"

#include <array>

namespace plimsoll::weights {
namespace {

// In the order of the enum.
constexpr std::array<DTypeInfo, kDTypes> kTable = {{
    {"BOOL", 1, 8, true},
    {"U8", 1, 8, true},
    {"I8", 1, 8, true},
    {"U16", 1, 16, true},
    {"I16", 1, 16, true},
    {"U32", 1, 32, true},
    {"I32", 1, 32, true},
    {"U64", 1, 64, true},
    {"I64", 1, 64, true},
    {"F16", 1, 16, true},
    {"BF16", 1, 16, true},
    {"F32", 1, 32, true},
    {"F64", 1, 64, true},
    {"C64", 1, 64, true},
    {"C128", 1, 128, false},
    {"F8_E4M3", 1, 8, true},
    {"F8_E5M2", 1, 8, true},
    {"F8_E8M0", 1, 8, true},
    {"F8_E4M3FNUZ", 1, 8, true},
    {"F8_E5M2FNUZ", 1, 8, true},
    {"F4", 1, 4, true},
    {"F6_E2M3", 1, 6, true},
    {"F6_E3M2", 1, 6, true},
    {"U1", 1, 1, false},
    {"U2", 1, 2, false},
    {"U4", 1, 4, false},
    {"I4", 1, 4, false},
    {"NF4", 1, 4, false},
    {"Q4_0", 32, 18 * 8, false},
    {"Q4_1", 32, 20 * 8, false},
    {"Q5_0", 32, 22 * 8, false},
    {"Q5_1", 32, 24 * 8, false},
    {"Q8_0", 32, 34 * 8, false},
    {"Q8_1", 32, 36 * 8, false},
    {"Q2_K", 256, 84 * 8, false},
    {"Q3_K", 256, 110 * 8, false},
    {"Q4_K", 256, 144 * 8, false},
    {"Q5_K", 256, 176 * 8, false},
    {"Q6_K", 256, 210 * 8, false},
    {"Q8_K", 256, 292 * 8, false},
    {"IQ2_XXS", 256, 66 * 8, false},
    {"IQ2_XS", 256, 74 * 8, false},
    {"IQ3_XXS", 256, 98 * 8, false},
    {"IQ1_S", 256, 50 * 8, false},
    {"IQ4_NL", 32, 18 * 8, false},
    {"IQ3_S", 256, 110 * 8, false},
    {"IQ2_S", 256, 82 * 8, false},
    {"IQ4_XS", 256, 136 * 8, false},
    {"IQ1_M", 256, 56 * 8, false},
    {"TQ1_0", 256, 54 * 8, false},
    {"TQ2_0", 256, 66 * 8, false},
    {"MXFP4", 32, 17 * 8, false},
}};

constexpr uint64_t kLargest = INT64_MAX;

}  // namespace

const DTypeInfo& InfoOf(DType dtype) { return kTable[static_cast<size_t>(dtype)]; }

std::optional<DType> DTypeNamed(std::string_view name) {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

const std::string& SafetensorsNames() {
  static const std::string names = [] {
    std::string all;
    for (const DTypeInfo& info : kTable) {
      if (!info.in_safetensors) continue;
      if (!all.empty()) all += ", ";
      all += info.name;
    }
    return all;
  }();
  return names;
}

std::optional<uint64_t> ElementCount(std::span<const uint64_t> shape) {
  uint64_t count = 1;
  for (const uint64_t dimension : shape) {
    if (__builtin_mul_overflow(count, dimension, &count) || count > kLargest) return std::nullopt;
  }
  return count;
}

std::optional<uint64_t> BitCount(DType dtype, std::span<const uint64_t> shape) {
  const std::optional<uint64_t> elements = ElementCount(shape);
  const DTypeInfo& info = InfoOf(dtype);
  if (!elements || *elements % info.block_elements != 0) return std::nullopt;
  uint64_t bits = 0;
  if (__builtin_mul_overflow(*elements / info.block_elements, info.block_bits, &bits) ||
      bits > UINT64_MAX - 7) {
    return std::nullopt;
  }
  return bits;
}

std::optional<uint64_t> ByteCount(DType dtype, std::span<const uint64_t> shape) {
  const std::optional<uint64_t> bits = BitCount(dtype, shape);
  if (!bits) return std::nullopt;
  return (*bits + 7) / 8;
}

std::string ShapeText(std::span<const uint64_t> shape) {
  std::string text = "[";
  for (const uint64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

}  // namespace plimsoll::weights
