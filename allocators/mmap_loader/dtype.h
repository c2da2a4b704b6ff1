#ifndef ALLOCATORS_MMAP_LOADER_DTYPE_H_
#define ALLOCATORS_MMAP_LOADER_DTYPE_H_

// Element types of every format the loader reads, and how many bytes they take.
// Thread-safe: pure functions over a constant table.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plimsoll::weights {

// The first group can be addressed element by element or bit by bit; the second is
// quantised in blocks (llama.cpp's types).
enum class DType : uint8_t {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kU64,
  kI64,
  kF16,
  kBF16,
  kF32,
  kF64,
  kC64,
  kC128,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU1,
  kU2,
  kU4,
  kI4,
  kNF4,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ8_1,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kQ8_K,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ3_XXS,
  kIQ1_S,
  kIQ4_NL,
  kIQ3_S,
  kIQ2_S,
  kIQ4_XS,
  kIQ1_M,
  kTQ1_0,
  kTQ2_0,
  kMXFP4,
};
constexpr int kDTypes = static_cast<int>(DType::kMXFP4) + 1;

// `block_elements` elements take `block_bits` bits. Scalars have block_elements 1.
struct DTypeInfo {
  std::string_view name;  // safetensors' name where it has one, else llama.cpp's
  uint32_t block_elements;
  uint32_t block_bits;
  bool in_safetensors;
};
const DTypeInfo& InfoOf(DType dtype);

// By the name in DTypeInfo; absent when unknown.
std::optional<DType> DTypeNamed(std::string_view name);

// "BOOL, U8, …": the names that safetensors files may use.
const std::string& SafetensorsNames();

// The product of the dimensions, 1 for none; absent when it exceeds 2^63 - 1.
std::optional<uint64_t> ElementCount(std::span<const uint64_t> shape);

// Bits of a tensor, elements packed; absent when that exceeds 2^64 - 8 or the elements do
// not fill whole blocks.
std::optional<uint64_t> BitCount(DType dtype, std::span<const uint64_t> shape);

// BitCount rounded up to whole bytes.
std::optional<uint64_t> ByteCount(DType dtype, std::span<const uint64_t> shape);

// "[3, 224, 224]".
std::string ShapeText(std::span<const uint64_t> shape);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_DTYPE_H_
