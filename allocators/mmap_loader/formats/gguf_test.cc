#include "allocators/mmap_loader/formats/gguf.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "allocators/mmap_loader/formats/samples.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

Expected<Directory> Parse(std::string_view bytes) {
  return ParseGguf(MemorySource("m.gguf", AsBytes(bytes)));
}

TEST(Gguf, ReadsKeysAndTensors) {
  const std::string bytes = SampleGguf().Bytes();
  const auto directory = Parse(bytes);
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  ASSERT_EQ(directory->size(), 3u);
  const uint64_t data = bytes.size() - 129;
  EXPECT_EQ(data % 64, 0u);
  const TensorInfo f = directory->at(0);
  EXPECT_EQ(ShapeText(f.shape), "[2, 3]") << "outermost first";
  EXPECT_EQ(f.offset, data);
  EXPECT_EQ(f.bytes, 24u);
  const TensorInfo q = directory->at(1);
  EXPECT_EQ(q.dtype, DType::kQ4_0);
  EXPECT_EQ(q.bytes, 36u);
  EXPECT_EQ(q.offset, data + 64);
  EXPECT_EQ(directory->at(2).bytes, 1u);
  const std::map<std::string, std::string> metadata(directory->metadata().begin(),
                                                    directory->metadata().end());
  EXPECT_EQ(metadata.at("general.name"), "sample");
  EXPECT_EQ(metadata.at("u8"), "200");
  EXPECT_EQ(metadata.at("i8"), "-2");
  EXPECT_EQ(metadata.at("i64"), "-7");
  EXPECT_EQ(metadata.at("u64"), "1099511627776");
  EXPECT_EQ(metadata.at("f32"), "0.500000");
  EXPECT_EQ(metadata.at("yes"), "true");
  EXPECT_EQ(metadata.at("tokens"), "2 x string");
  EXPECT_EQ(metadata.at("scores"), "3 x float32");
  EXPECT_EQ(metadata.at("nested"), "1 x array");
}

TEST(Gguf, AcceptsPaddingAtTheEndAndNoTensors) {
  GgufFile file = SampleGguf();
  file.data.resize(192);
  EXPECT_TRUE(Parse(file.Bytes()).has_value());
  GgufFile empty;
  EXPECT_TRUE(Parse(empty.Bytes()).has_value());
  empty.version = 2;
  EXPECT_TRUE(Parse(empty.Bytes()).has_value());
}

TEST(Gguf, LongTextsAreCut) {
  GgufFile file;
  file.pairs = {GgufPair("t", 8, GgufString(std::string(5000, 'x')))};
  const auto directory = Parse(file.Bytes());
  ASSERT_TRUE(directory.has_value());
  EXPECT_EQ(directory->metadata()[0].second, std::string(1000, 'x') + "...");
}

struct BadGguf {
  const char* name;
  std::function<void(GgufFile&)> change;
  std::vector<std::string> parts;
};

class GgufBad : public testing::TestWithParam<BadGguf> {};

TEST_P(GgufBad, IsAnError) {
  GgufFile file = SampleGguf();
  GetParam().change(file);
  const auto directory = Parse(file.Bytes());
  ASSERT_FALSE(directory.has_value());
  ExpectLineWith(directory.error().message, {"m.gguf: "});
  for (const std::string& part : GetParam().parts) {
    ExpectLineWith(directory.error().message, {part});
  }
}

// Replaces the pair at `index`.
std::function<void(GgufFile&)> Pair(size_t index, std::string pair) {
  return [=](GgufFile& file) { file.pairs[index] = pair; };
}
std::function<void(GgufFile&)> TensorAt(size_t index, std::string tensor) {
  return [=](GgufFile& file) { file.tensors[index] = tensor; };
}
std::string ArrayOf(uint32_t type, uint64_t count, std::string_view rest) {
  return Raw(type) + Raw(count) + std::string(rest);
}
std::string DeepArray(int depth) {
  std::string value = ArrayOf(0, 0, "");
  for (int i = 1; i < depth; ++i) value = ArrayOf(9, 1, value);
  return value;
}

const std::vector<BadGguf> kBad = {
        BadGguf{"Version1", [](GgufFile& f) { f.version = 1; }, {"version: '1'", "expected 2 or 3"}},
        BadGguf{"Version4", [](GgufFile& f) { f.version = 4; }, {"version: '4'"}},
        BadGguf{"BigEndian", [](GgufFile& f) { f.version = 0x03000000; },
                {"version: '50331648'", "big-endian"}},
        BadGguf{"KeyEmpty", Pair(2, GgufPair("", 0, "x")), {"key: ''", "at least 1 byte"}},
        BadGguf{"KeyTwice", Pair(2, GgufPair("i8", 0, "x")), {"key: 'i8'", "duplicate"}},
        BadGguf{"KeyTooLong", Pair(2, GgufPair(std::string(65536, 'k'), 0, "x")),
                {"key: length in bytes: '65536'", "at most 65535"}},
        BadGguf{"KeyPastTheEnd", Pair(2, Raw(uint64_t{1} << 40)),
                {"key: length in bytes: '1099511627776'"}},
        BadGguf{"ValueType", Pair(2, GgufPair("u8", 13, "x")),
                {"key 'u8': value type: '13'", "expected 0 to 12"}},
        BadGguf{"ElementType", Pair(2, GgufPair("a", 9, ArrayOf(99, 0, ""))),
                {"key 'a': value type: '99'"}},
        BadGguf{"StringPastTheEnd", Pair(2, GgufPair("t", 8, Raw(UINT64_MAX))),
                {"key 't': '18446744073709551615 bytes'", "expected at most"}},
        BadGguf{"ArrayPastTheEnd", Pair(2, GgufPair("a", 9, ArrayOf(6, 100'000, ""))),
                {"key 'a': '100000'", "expected at most"}},
        BadGguf{"ArrayOverflow", Pair(2, GgufPair("a", 9, ArrayOf(12, uint64_t{1} << 61, ""))),
                {"key 'a': '2305843009213693952'"}},
        BadGguf{"TextArrayPastTheEnd",
                Pair(2, GgufPair("a", 9, ArrayOf(8, 1, Raw(uint64_t{1} << 50)))),
                {"key 'a': '1125899906842624 bytes'"}},
        BadGguf{"ArrayTooDeep", Pair(2, GgufPair("a", 9, DeepArray(9))),
                {"key 'a': array depth: '9'", "at most 8"}},
        BadGguf{"NotABool", Pair(2, GgufPair("b", 7, Raw(uint8_t{2}))),
                {"key 'b': '2'", "expected a bool"}},
        BadGguf{"AlignmentNotAPower", Pair(0, GgufPair("general.alignment", 4, Raw(uint32_t{48}))),
                {"key 'general.alignment': '48'", "power of two"}},
        BadGguf{"AlignmentZero", Pair(0, GgufPair("general.alignment", 4, Raw(uint32_t{0}))),
                {"'0'", "power of two"}},
        BadGguf{"AlignmentHuge", Pair(0, GgufPair("general.alignment", 4, Raw(uint32_t{1} << 31))),
                {"'2147483648'", "power of two up to 1073741824"}},
        BadGguf{"AlignmentNotU32", Pair(0, GgufPair("general.alignment", 10, Raw(uint64_t{64}))),
                {"'64'", "uint32"}},
        BadGguf{"NoTensorName", TensorAt(0, GgufTensor("", {3, 2}, 0, 0)), {"tensor name: ''"}},
        BadGguf{"LongTensorName", TensorAt(0, GgufTensor(std::string(65, 'n'), {3, 2}, 0, 0)),
                {"tensor name: length in bytes: '65'", "at most 64"}},
        BadGguf{"DuplicateTensor", TensorAt(1, GgufTensor("f", {64}, 2, 64)),
                {"tensor name: 'f'", "duplicate"}},
        BadGguf{"FiveDimensions", TensorAt(0, GgufTensor("f", {1, 1, 1, 1, 6}, 0, 0)),
                {"tensor 'f': dimensions: '5'", "at most 4"}},
        BadGguf{"TensorType", TensorAt(0, GgufTensor("f", {3, 2}, 40, 0)),
                {"tensor 'f': type: '40'", "expected a ggml type"}},
        BadGguf{"WithdrawnType", TensorAt(0, GgufTensor("f", {3, 2}, 4, 0)),
                {"tensor 'f': type: '4'"}},
        BadGguf{"ShapeOverflow",
                TensorAt(0, GgufTensor("f", {uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0)),
                {"tensor 'f': shape: '[4294967296, 4294967296]'"}},
        BadGguf{"NotThePaddedSum",
                TensorAt(1, GgufTensor("q", {32, 4, 1}, 2, 64)),
                {"tensor 'scalar': offset: '128'", "expected 192"}},
        BadGguf{"PartOfABlock", TensorAt(1, GgufTensor("q", {16, 4}, 2, 64)),
                {"tensor 'q': shape: '[4, 16]'", "whole blocks of 32"}},
        BadGguf{"Misaligned", TensorAt(1, GgufTensor("q", {64}, 2, 65)),
                {"tensor 'q': offset: '65'", "multiple of the alignment 64"}},
        BadGguf{"Hole", TensorAt(1, GgufTensor("q", {64}, 2, 128)),
                {"tensor 'q': offset: '128'", "expected 64, the padded sum"}},
        BadGguf{"Overlap", TensorAt(1, GgufTensor("q", {64}, 2, 0)),
                {"tensor 'q': offset: '0'", "expected 64"}},
        BadGguf{"SumOverflow",
                [](GgufFile& f) {
                  f.tensors.clear();
                  for (uint64_t i = 0; i < 8; ++i) {
                    f.tensors.push_back(
                        GgufTensor("t" + std::to_string(i), {uint64_t{1} << 60}, 24, i << 60));
                  }
                },
                {"tensor 't7': size in bytes", "less than 2^63 together"}},
        BadGguf{"PastTheEnd", TensorAt(2, GgufTensor("scalar", {2}, 24, 128)),
                {"tensor 'scalar': offset: '2 bytes at offset", "expected to end within"}},
        BadGguf{"TrailingBytes", [](GgufFile& f) { f.data.resize(300); },
                {"file size in bytes", "bytes trail the data"}}};

INSTANTIATE_TEST_SUITE_P(Files, GgufBad, testing::ValuesIn(kBad),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(Gguf, MagicAndCounts) {
  std::string bytes = SampleGguf().Bytes();
  bytes[0] = 'F';
  ExpectError(Parse(bytes), {"m.gguf: magic: 'FGUF'", "expected 'GGUF'"});
  ExpectError(Parse("GGUF" + Raw(uint32_t{3}) + Raw(UINT64_MAX) + Raw(uint64_t{0})),
              {"tensor count: '18446744073709551615'", "expected at most 0"});
  ExpectError(Parse("GGUF" + Raw(uint32_t{3}) + Raw(uint64_t{0}) + Raw(uint64_t{7})),
              {"key count: '7'", "expected at most 0", "remaining 0 bytes"});
}

TEST(Gguf, TruncatedAnywhere) {
  const std::string whole = SampleGguf().Bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto directory = Parse(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(directory.has_value()) << size;
    ExpectLineWith(directory.error().message, {"m.gguf: "});
  }
}

}  // namespace
}  // namespace plimsoll::weights
