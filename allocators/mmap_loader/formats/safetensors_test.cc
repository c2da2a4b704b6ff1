#include "allocators/mmap_loader/formats/safetensors.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "allocators/mmap_loader/formats/samples.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

Expected<Directory> Parse(std::string_view file) {
  return ParseSafetensors(MemorySource("m.safetensors", AsBytes(file)));
}

Expected<Directory> ParseHeader(std::string_view header, size_t data_bytes = 16) {
  return Parse(SafetensorsBytes(header, std::string(data_bytes, 'd')));
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const auto directory =
      ParseHeader(R"({"__metadata__":{"format":"pt","plimsoll.xxh3:b":"00000000000000ff"},)"
                  R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                  R"("b":{"shape":[],"data_offsets":[8,10],"dtype":"BF16","extra":{"x":[1,{}]}},)"
                  R"("none":{"dtype":"I64","shape":[0,3],"data_offsets":[10,10]},)"
                  R"("c\u00e4\"":{"dtype":"U8","shape":[6],"data_offsets":[10,16]}}   )");
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  ASSERT_EQ(directory->size(), 4u);
  EXPECT_EQ(directory->format(), Format::kSafetensors);
  ASSERT_EQ(directory->metadata().size(), 1u);
  EXPECT_EQ(directory->metadata()[0].second, "pt");
  const TensorInfo a = directory->at(*directory->Find("a"));
  EXPECT_EQ(a.dtype, DType::kF32);
  EXPECT_EQ(ShapeText(a.shape), "[2, 1]");
  EXPECT_EQ(a.bytes, 8u);
  EXPECT_EQ(a.checksum, std::nullopt);
  const TensorInfo b = directory->at(*directory->Find("b"));
  EXPECT_EQ(b.offset, a.offset + 8);
  EXPECT_EQ(b.checksum, 255u);
  EXPECT_TRUE(directory->Find("c\xc3\xa4\"").has_value());
}

TEST(Safetensors, OrderOfTheHeaderDoesNotMatter) {
  EXPECT_TRUE(ParseHeader(R"({"b":{"dtype":"U8","shape":[6],"data_offsets":[10,16]},)"
                          R"("a":{"dtype":"U8","shape":[10],"data_offsets":[0,10]}})")
                  .has_value());
  EXPECT_TRUE(ParseHeader("{}", 0).has_value());
}

struct BadHeader {
  const char* name;
  std::string header;
  std::vector<std::string> parts;
};

class SafetensorsBadHeader : public testing::TestWithParam<BadHeader> {};

TEST_P(SafetensorsBadHeader, IsAnError) {
  const auto directory = ParseHeader(GetParam().header);
  ASSERT_FALSE(directory.has_value());
  const std::string& message = directory.error().message;
  ExpectLineWith(message, {"m.safetensors: "});
  for (const std::string& part : GetParam().parts) ExpectLineWith(message, {part});
}

const char kEight[] = R"("x":{"dtype":"U8","shape":[8],"data_offsets":[8,16]})";

// Every field but the one in question is right: data_bytes is 16.
const std::vector<BadHeader> kBad = {
    BadHeader{"NotJson", "{\"a\" 5}", {"header", "expected one JSON object"}},
    BadHeader{"NotAnObject", "[1,2]  ", {"header: '[1,2]  '", "starts with '{'"}},
    BadHeader{"LeadingSpace", " {}", {"starts with '{'"}},
    BadHeader{"Unfinished", "{\"a\":{\"dtype\":\"U8\"", {"header"}},
    BadHeader{"NotUtf8", "{\"\xff\xfe\":{}}", {"header", "UTF"}},
    BadHeader{"SecondObject", "{" + ByteTensorField("a", 0, 16) + "}{}", {"header at byte 55"}},
    BadHeader{"TensorIsNumber", R"({"a":5})", {"tensor 'a'", "expected an object"}},
    BadHeader{"MetadataNotStrings",
              R"({"__metadata__":{"k":1}})",
              {"__metadata__ 'k'", "expected a string"}},
    BadHeader{"ChecksumNotHex",
              R"({"__metadata__":{"plimsoll.xxh3:a":"00000000000000fg"}})",
              {"__metadata__ 'plimsoll.xxh3:a': '00000000000000fg'", "16 hexadecimal"}},
    BadHeader{"ChecksumShort",
              R"({"__metadata__":{"plimsoll.xxh3:a":"ff"}})",
              {"'ff'", "16 hexadecimal"}},
    BadHeader{"ChecksumOfNobody",
              R"({"__metadata__":{"plimsoll.xxh3:q":"00000000000000ff"},)" +
                  ByteTensorField("a", 0, 16) + "}",
              {"tensor name: 'q'", "one of its 1 tensors"}},
    BadHeader{"NoDtype",
              R"({"a":{"shape":[16],"data_offsets":[0,16]}})",
              {"tensor 'a': 'no dtype'", "expected dtype, shape and data_offsets"}},
    BadHeader{"NoShape", R"({"a":{"dtype":"U8","data_offsets":[0,16]}})", {"'no shape'"}},
    BadHeader{"NoOffsets", R"({"a":{"dtype":"U8","shape":[16]}})", {"'no data_offsets'"}},
    BadHeader{"FieldTwice",
              R"({"a":{"dtype":"U8","dtype":"U8","shape":[16],"data_offsets":[0,16]}})",
              {"tensor 'a': dtype", "duplicate"}},
    BadHeader{"ShapeTwice",
              R"({"a":{"dtype":"U8","shape":[8],"shape":[2],"data_offsets":[0,16]}})",
              {"tensor 'a': shape", "duplicate"}},
    BadHeader{"UnknownDtype",
              R"({"a":{"dtype":"F31","shape":[16],"data_offsets":[0,16]}})",
              {"tensor 'a': dtype: 'F31'", "expected one of BOOL, U8"}},
    BadHeader{"ForeignDtype",
              R"({"a":{"dtype":"Q8_0","shape":[32],"data_offsets":[0,16]}})",
              {"tensor 'a': dtype: 'Q8_0'"}},
    BadHeader{"DtypeNumber",
              R"({"a":{"dtype":8,"shape":[16],"data_offsets":[0,16]}})",
              {"tensor 'a': dtype", "expected a string"}},
    BadHeader{"NegativeDimension",
              R"({"a":{"dtype":"U8","shape":[-16],"data_offsets":[0,16]}})",
              {"tensor 'a': shape", "expected an array of integers"}},
    BadHeader{"FractionDimension",
              R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,16]}})",
              {"tensor 'a': shape"}},
    BadHeader{"ShapeNotArray",
              R"({"a":{"dtype":"U8","shape":16,"data_offsets":[0,16]}})",
              {"tensor 'a': shape"}},
    BadHeader{"RankTooHigh",
              R"({"a":{"dtype":"U8","shape":[)" +
                  [] {
                    std::string ones = "1";
                    for (int i = 0; i < 64; ++i) ones += ",1";
                    return ones;
                  }() +
                  R"(],"data_offsets":[0,16]}})",
              {"tensor 'a': shape", "at most 64"}},
    BadHeader{"ShapeOverflow",
              R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,16]}})",
              {"tensor 'a': shape: '[4294967296, 4294967296]'"}},
    BadHeader{"ShapeTimesDtypeOverflow",
              R"({"a":{"dtype":"F64","shape":[2305843009213693954],"data_offsets":[0,16]}})",
              {"tensor 'a': shape: '[2305843009213693954]'"}},
    BadHeader{"HalfBytes",
              R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})",
              {"tensor 'a': shape: '[3]'", "whole bytes of F4"}},
    BadHeader{"SizeIsNotShape",
              R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})",
              {"tensor 'a': data_offsets: size in bytes: '16'", "expected 12"}},
    BadHeader{"OffsetsReversed",
              R"({"a":{"dtype":"U8","shape":[16],"data_offsets":[16,0]}})",
              {"tensor 'a': data_offsets: '[16, 0]'", "<= 16"}},
    BadHeader{"OneOffset",
              R"({"a":{"dtype":"U8","shape":[16],"data_offsets":[16]}})",
              {"tensor 'a': data_offsets: '[16]'"}},
    BadHeader{"ThreeOffsets",
              R"({"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16,16]}})",
              {"tensor 'a': data_offsets", "at most 2"}},
    BadHeader{"PastTheEnd",
              "{" + ByteTensorField("a", 0, 17) + "}",
              {"tensor 'a': data_offsets: '[0, 17]'", "<= 16"}},
    BadHeader{"OffsetOverflow",
              R"({"a":{"dtype":"U8","shape":[1],)"
              R"("data_offsets":[18446744073709551615,18446744073709551615]}})",
              {"tensor 'a': data_offsets: '[18446744073709551615, "}},
    BadHeader{"Duplicate",
              "{" + ByteTensorField("a", 0, 8) + "," + ByteTensorField("a", 8, 8) + "}",
              {"tensor name: 'a'", "duplicate"}},
    BadHeader{"Overlap",
              "{" + ByteTensorField("a", 0, 9) + "," + kEight + "}",
              {"tensor 'x': bytes", "no overlap with tensor 'a'"}},
    BadHeader{"Hole",
              "{" + ByteTensorField("a", 0, 7) + "," + kEight + "}",
              {"tensor 'x': offset", "a hole follows"}},
    BadHeader{"HoleAtTheStart", std::string("{") + kEight + "}", {"a hole follows"}},
    BadHeader{"TrailingBytes",
              "{" + ByteTensorField("a", 0, 15) + "}",
              {"file size in bytes", "bytes trail the data"}},
    BadHeader{"NoName", "{" + ByteTensorField("", 0, 16) + "}", {"tensor name: ''"}}};

INSTANTIATE_TEST_SUITE_P(Headers, SafetensorsBadHeader, testing::ValuesIn(kBad),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(Safetensors, TruncatedAnywhere) {
  const std::string whole =
      SafetensorsBytes("{" + ByteTensorField("a", 0, 8) + "," + ByteTensorField("b", 8, 8) + "}",
                       "0123456789abcdef");
  ASSERT_TRUE(Parse(whole).has_value());
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto directory = Parse(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(directory.has_value()) << size;
    ExpectLineWith(directory.error().message, {"m.safetensors: "});
  }
  ExpectError(Parse(whole.substr(0, 5)), {"file size in bytes: '5'", "at least 8"});
  ExpectError(Parse(whole.substr(0, 50)), {"header length in bytes", "within the file"});
  ExpectError(Parse(whole.substr(0, whole.size() - 1)), {"tensor 'b': data_offsets: '[8, 16]'"});
  ExpectError(Parse(whole + "x"), {"bytes trail the data"});
}

// A file that claims a size it does not have to be read at.
class HugeSource : public ByteSource {
 public:
  explicit HugeSource(uint64_t header_length) : bytes_(SafetensorsBytes("{}", "")) {
    for (size_t i = 0; i < 8; ++i) bytes_[i] = static_cast<char>(header_length >> (8 * i) & 0xff);
  }
  const std::string& path() const override { return path_; }
  uint64_t size() const override { return uint64_t{1} << 40; }
  Status ReadAt(uint64_t offset, std::span<std::byte> to) const override {
    return MemorySource(path_, AsBytes(bytes_)).ReadAt(offset, to);
  }

 private:
  std::string path_ = "huge";
  std::string bytes_;
};

TEST(Safetensors, HeaderLengthIsLimited) {
  for (const uint64_t length : {uint64_t{100'000'001}, UINT64_MAX, UINT64_MAX - 7, uint64_t{1}}) {
    ExpectError(ParseSafetensors(HugeSource(length)),
                {"huge: header length in bytes: '" + std::to_string(length) + "'",
                 "expected 2 to 100000000"});
  }
}

TEST(Safetensors, AReadErrorIsTheError) {
  ExpectError(ParseSafetensors(HugeSource(1000)), {"huge: bytes read at offset 8: '1000'"});
}

class SafetensorsIndexTest : public testing::Test {
 protected:
  SafetensorsIndexTest() {
    siblings_.files["s1"] = SafetensorsBytes(
        "{" + ByteTensorField("a", 0, 2) + "," + ByteTensorField("b", 2, 2) + "}", "1234");
    siblings_.files["s2"] = SafetensorsBytes("{" + ByteTensorField("c", 0, 4) + "}", "5678");
  }
  Expected<Directory> Parse(std::string_view index) {
    return ParseSafetensorsIndex(MemorySource("i.json", AsBytes(index)), siblings_);
  }

  MemorySiblings siblings_;
};

TEST_F(SafetensorsIndexTest, JoinsTheShards) {
  const auto directory =
      Parse(R"({"metadata":{"total_size":8},"weight_map":{"c":"s2","a":"s1","b":"s1"}})");
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  ASSERT_EQ(directory->size(), 3u);
  EXPECT_EQ(siblings_.opened, 2) << "each shard once";
  ASSERT_EQ(directory->files().size(), 2u);
  EXPECT_EQ(directory->files()[directory->at(*directory->Find("b")).file].path, "s1");
  EXPECT_EQ(directory->files()[directory->at(*directory->Find("c")).file].path, "s2");
}

TEST_F(SafetensorsIndexTest, WhatCanBeWrong) {
  ExpectError(Parse(R"({"weight_map":{"a":"s9"}})"), {"weight_map 'a': 's9': no such file"});
  ExpectError(
      Parse(R"({"weight_map":{"c":"s1"}})"),
      {"i.json: weight_map 'c': 's1'", "expected a file that holds this tensor", "s1 does not"});
  ExpectError(Parse(R"({"weight_map":{"a":"s1","a":"s1"}})"), {"tensor name: 'a'", "duplicate"});
  ExpectError(Parse(R"({"weight_map":{"a":1}})"), {"weight_map 'a'", "expected a string"});
  ExpectError(Parse(R"({"weight_map":[]})"), {"weight_map", "expected an object"});
  ExpectError(Parse(R"({"weight_map":{},"weight_map":{}})"), {"weight_map", "duplicate"});
  ExpectError(Parse(R"({"metadata":{}})"), {"weight_map: 'missing'"});
  ExpectError(Parse(R"({"weight_map":{"a":"s1"}} x)"), {"i.json: index"});
  ExpectError(Parse("weights"), {"i.json: index", "starts with '{'"});
  siblings_.files["s1"].pop_back();
  ExpectError(Parse(R"({"weight_map":{"a":"s1"}})"), {"s1: tensor 'b': data_offsets"});
}

TEST_F(SafetensorsIndexTest, SizeIsLimited) {
  class Endless : public MemorySource {
   public:
    Endless() : MemorySource("endless", {}) {}
    uint64_t size() const override { return kSafetensorsLongestHeader + 1; }
  };
  ExpectError(ParseSafetensorsIndex(Endless(), siblings_),
              {"endless: index size in bytes: '100000001'", "at most 100000000"});
}

}  // namespace
}  // namespace plimsoll::weights
