#include "allocators/mmap_loader/directory.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace plimsoll::weights {
namespace {

using Shape = std::vector<uint64_t>;

class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() : builder_(Format::kBlob, "index.json") { builder_.AddFile("data.bin", 1000); }

  // A U8 tensor at [offset, offset + bytes).
  Status Add(const std::string& name, uint64_t offset, uint64_t bytes) {
    const Shape shape = {bytes};
    return builder_.Add(
        {.name = name, .dtype = DType::kU8, .shape = shape, .offset = offset, .bytes = bytes},
        "range");
  }
  std::string Layout(const LayoutRules& rules) {
    const Status checked = builder_.CheckLayout(0, rules);
    return checked ? "" : checked.error().message;
  }

  DirectoryBuilder builder_;
};

TEST_F(DirectoryTest, FindsManyByName) {
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Add("tensor." + std::to_string(i), i, 1).has_value());
  const Directory directory = builder_.Take();
  ASSERT_EQ(directory.size(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    const auto index = directory.Find("tensor." + std::to_string(i));
    ASSERT_EQ(index, static_cast<size_t>(i));
    EXPECT_EQ(directory.at(*index).offset, static_cast<uint64_t>(i));
    EXPECT_EQ(directory.at(*index).name, "tensor." + std::to_string(i));
    EXPECT_EQ(directory.at(*index).shape[0], 1u);
  }
  EXPECT_EQ(directory.Find("tensor"), std::nullopt);
  EXPECT_EQ(directory.Find(""), std::nullopt);
  EXPECT_EQ(directory.tensor_bytes(), 1000u);
  EXPECT_GT(directory.memory_bytes(), 1000 * sizeof(uint64_t));
  EXPECT_EQ(directory.Get("x\n").error().message,
            "index.json: tensor name: 'x\\x0a': expected one of its 1000 tensors, such as "
            "'tensor.0'");
}

TEST_F(DirectoryTest, RefusesTensorsThatCannotBe) {
  ASSERT_TRUE(Add("a", 0, 10).has_value());
  EXPECT_EQ(Add("a", 10, 10).error().message,
            "index.json: tensor name: 'a': expected each name once: this one is a duplicate");
  EXPECT_EQ(Add("", 10, 10).error().message,
            "index.json: tensor name: '': expected at least 1 byte");
  EXPECT_EQ(Add("b", 995, 6).error().message,
            "index.json: tensor 'b': range: '6 bytes at offset 995': expected to end within the "
            "1000 bytes of data.bin");
  EXPECT_EQ(Add("b", UINT64_MAX, 6).error().message,
            "index.json: tensor 'b': range: '6 bytes at offset 18446744073709551615': expected to "
            "end within the 1000 bytes of data.bin");
  const Shape shape = {3};
  EXPECT_EQ(builder_.Add({.name = "c", .dtype = DType::kF32, .shape = shape, .bytes = 10}, "range")
                .error()
                .message,
            "index.json: tensor 'c': range: size in bytes: '10': expected 12: F32 of shape [3]");
  const Shape huge = {uint64_t{1} << 40, uint64_t{1} << 40};
  EXPECT_EQ(builder_.Add({.name = "c", .dtype = DType::kF32, .shape = huge, .bytes = 10}, "range")
                .error()
                .message,
            "index.json: tensor 'c': shape: '[1099511627776, 1099511627776]': expected whole "
            "blocks of 1 elements and F32 data below 2^61 bytes");
  EXPECT_EQ(builder_.size(), 1u);
}

TEST_F(DirectoryTest, ContiguousLayout) {
  ASSERT_TRUE(Add("b", 100, 400).has_value());
  ASSERT_TRUE(Add("empty", 100, 0).has_value());
  ASSERT_TRUE(Add("a", 8, 92).has_value());
  EXPECT_EQ(Layout({.data_begin = 9}),
            "index.json: tensor 'a': bytes: '[8, 100)': expected to start at or after 9, where the "
            "data begins");
  EXPECT_EQ(Layout({.data_begin = 8}),
            "data.bin: file size in bytes: '1000': expected at most 500: bytes trail the data that "
            "ends at 500");
  ASSERT_TRUE(Add("c", 500, 500).has_value());
  EXPECT_EQ(Layout({.data_begin = 8}), "");
  EXPECT_EQ(Layout({.data_begin = 4}),
            "index.json: tensor 'a': offset: '8': expected at most 4: a hole follows the data that "
            "ends at 4");
  EXPECT_EQ(Layout({.largest_gap = 4, .data_begin = 4}), "");
  ASSERT_TRUE(Add("d", 499, 1).has_value());
  EXPECT_EQ(Layout({.data_begin = 8}),
            "index.json: tensor 'd': bytes: '[499, 500)': expected no overlap with tensor 'b' at "
            "[100, 500)");
}

TEST_F(DirectoryTest, AliasesAndAlignment) {
  ASSERT_TRUE(Add("a", 64, 64).has_value());
  ASSERT_TRUE(Add("same", 64, 64).has_value());
  EXPECT_EQ(Layout({.aliases = true, .largest_gap = kAnyGap, .alignment = 64}), "");
  EXPECT_NE(Layout({.largest_gap = kAnyGap}).find("expected no overlap"), std::string::npos);
  ASSERT_TRUE(Add("odd", 130, 1).has_value());
  EXPECT_EQ(Layout({.aliases = true, .largest_gap = kAnyGap, .alignment = 64}),
            "index.json: tensor 'odd': offset: '130': expected a multiple of the alignment 64 "
            "after 0");
  ASSERT_TRUE(Add("part", 64, 65).has_value());
  EXPECT_NE(Layout({.aliases = true, .largest_gap = kAnyGap}).find("expected no overlap"),
            std::string::npos);
}

TEST_F(DirectoryTest, InlineBytesAndChecksums) {
  const std::array<std::byte, 3> three = {std::byte{1}, std::byte{2}, std::byte{3}};
  const Shape shape = {3};
  ASSERT_TRUE(builder_.AddInline("x", DType::kU8, shape, three).has_value());
  ASSERT_TRUE(builder_.AddInline("y", DType::kU8, shape, three).has_value());
  EXPECT_FALSE(builder_.AddInline("z", DType::kU16, shape, three).has_value());
  ASSERT_TRUE(builder_.SetChecksum("y", 42).has_value());
  EXPECT_FALSE(builder_.SetChecksum("nobody", 42).has_value());
  const Directory directory = builder_.Take();
  EXPECT_EQ(directory.at(0).checksum, std::nullopt);
  EXPECT_EQ(directory.at(1).checksum, 42u);
  EXPECT_EQ(directory.InlineBytes(directory.at(1))[2], std::byte{3});
  EXPECT_EQ(directory.at(1).offset % 16, 0u);
}

}  // namespace
}  // namespace plimsoll::weights
