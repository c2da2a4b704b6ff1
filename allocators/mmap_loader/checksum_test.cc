#include "allocators/mmap_loader/checksum.h"

#include <gtest/gtest.h>

#include <string>

namespace plimsoll::weights {
namespace {

TEST(Checksum, PiecesMakeTheWhole) {
  const std::string text(10'000, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  ChecksumStream stream;
  for (size_t begin = 0; begin < bytes.size(); begin += 333) {
    stream.Add(bytes.subspan(begin, std::min<size_t>(333, bytes.size() - begin)));
  }
  EXPECT_EQ(stream.Value(), ChecksumOf(bytes));
  EXPECT_NE(ChecksumOf(bytes), ChecksumOf(bytes.first(9'999)));
  // XXH3-64 of nothing, from its specification.
  EXPECT_EQ(ChecksumOf({}), 0x2d06800538d394c2u);
}

TEST(Checksum, TextIsSixteenDigits) {
  EXPECT_EQ(ChecksumText(0xab), "00000000000000ab");
  EXPECT_EQ(ChecksumIn("00000000000000ab"), 0xabu);
  EXPECT_EQ(ChecksumIn("ffffffffffffffff"), UINT64_MAX);
  for (const char* bad : {"", "ab", "00000000000000ag", "0x000000000000ab", "000000000000000ab"}) {
    EXPECT_EQ(ChecksumIn(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace plimsoll::weights
