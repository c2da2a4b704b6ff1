#include "allocators/mmap_loader/dtype.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace plimsoll::weights {
namespace {

using Shape = std::vector<uint64_t>;

TEST(DType, EveryNameLeadsBackToItself) {
  std::set<std::string_view> names;
  for (int i = 0; i < kDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_TRUE(names.insert(InfoOf(dtype).name).second) << InfoOf(dtype).name;
    EXPECT_EQ(DTypeNamed(InfoOf(dtype).name), dtype);
  }
  EXPECT_EQ(DTypeNamed("F33"), std::nullopt);
  EXPECT_EQ(DTypeNamed(""), std::nullopt);
  EXPECT_EQ(InfoOf(DType::kMXFP4).name, "MXFP4");
  EXPECT_NE(SafetensorsNames().find("BOOL, U8, I8"), std::string::npos);
  EXPECT_EQ(SafetensorsNames().find("Q4_0"), std::string::npos);
}

TEST(DType, SizesOfTensors) {
  EXPECT_EQ(ByteCount(DType::kF32, Shape{}), 4u);
  EXPECT_EQ(ByteCount(DType::kF32, Shape{2, 3}), 24u);
  EXPECT_EQ(ByteCount(DType::kBF16, Shape{7}), 14u);
  EXPECT_EQ(ByteCount(DType::kF32, Shape{5, 0}), 0u);
  EXPECT_EQ(ByteCount(DType::kU4, Shape{3}), 2u);
  EXPECT_EQ(ByteCount(DType::kU1, Shape{17}), 3u);
  EXPECT_EQ(BitCount(DType::kF6E2M3, Shape{3}), 18u);
  EXPECT_EQ(ByteCount(DType::kQ4_0, Shape{2, 64}), 72u);
  EXPECT_EQ(ByteCount(DType::kQ6_K, Shape{256}), 210u);
  EXPECT_EQ(ByteCount(DType::kQ4_0, Shape{33}), std::nullopt);
}

TEST(DType, OverflowIsNotASize) {
  EXPECT_EQ(ElementCount(Shape{uint64_t{1} << 32, uint64_t{1} << 31}), std::nullopt);
  EXPECT_EQ(ElementCount(Shape{UINT64_MAX, 2}), std::nullopt);
  EXPECT_EQ(ElementCount(Shape{INT64_MAX}), uint64_t{INT64_MAX});
  EXPECT_EQ(ByteCount(DType::kF64, Shape{uint64_t{1} << 58}), std::nullopt);
  EXPECT_EQ(ByteCount(DType::kF64, Shape{(uint64_t{1} << 58) - 1}), ((uint64_t{1} << 58) - 1) * 8);
}

}  // namespace
}  // namespace plimsoll::weights
