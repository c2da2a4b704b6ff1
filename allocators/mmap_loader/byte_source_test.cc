#include "allocators/mmap_loader/byte_source.h"

#include <gtest/gtest.h>

#include <array>

namespace plimsoll::weights {
namespace {

TEST(MemorySource, ReadsWithinItsBytesOnly) {
  const std::array<std::byte, 4> bytes = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  const MemorySource source("blob", bytes);
  std::array<std::byte, 2> two = {};
  ASSERT_TRUE(source.ReadAt(2, two).has_value());
  EXPECT_EQ(two[1], std::byte{4});
  for (const uint64_t offset : {uint64_t{3}, uint64_t{5}, UINT64_MAX}) {
    const Status read = source.ReadAt(offset, two);
    ASSERT_FALSE(read.has_value()) << offset;
    EXPECT_NE(read.error().message.find("blob: bytes read at offset"), std::string::npos);
  }
}

TEST(CheckSiblingName, KeepsToTheFolder) {
  for (const char* good : {"a.bin", "sub/a.bin", "..a", "a..", ".hidden", "a/..b/c"}) {
    EXPECT_TRUE(CheckSiblingName("m", {.field = "f"}, good).has_value()) << good;
  }
  for (const std::string& bad :
       {std::string(""), std::string("/etc/passwd"), std::string(".."), std::string("../a"),
        std::string("a/../../b"), std::string("a/.."), std::string("a\0b", 3), std::string("a\nb"),
        std::string("\x7f"), std::string(4096, 'x')}) {
    const Status checked = CheckSiblingName("m.json", {"weight_map", "w", ""}, bad);
    ASSERT_FALSE(checked.has_value()) << bad;
    EXPECT_EQ(checked.error().message.find("m.json: weight_map 'w': '" + Printable(bad) + "'"), 0u)
        << checked.error().message;
  }
}

TEST(FieldName, IsOneShortLineWhateverTheFileSays) {
  EXPECT_EQ((FieldName{"tensor", "a\n", "shape"}).Text(), "tensor 'a\\x0a': shape");
  EXPECT_EQ((FieldName{"tensor", "a", "sha\npe"}).Text(), "tensor 'a': sha\\x0ape");
  const std::string field(100'000, 'x');
  EXPECT_LT((FieldName{"tensor", "a", field}).Text().size(), 200u);
}

TEST(Printable, IsOneShortLine) {
  EXPECT_EQ(Printable("plain 'text'"), "plain 'text'");
  EXPECT_EQ(Printable("a\nb\x7f\xc3\xa4"), "a\\x0ab\\x7f\\xc3\\xa4");
  const std::string cut = Printable(std::string(100'000, 'x'));
  EXPECT_LT(cut.size(), 200u);
  EXPECT_NE(cut.find("(100000 bytes)"), std::string::npos);
}

}  // namespace
}  // namespace plimsoll::weights
