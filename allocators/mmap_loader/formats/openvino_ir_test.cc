#include "allocators/mmap_loader/formats/openvino_ir.h"

#include <gtest/gtest.h>

#include <string>

#include "allocators/mmap_loader/formats/samples.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

class OpenvinoIrTest : public testing::Test {
 protected:
  Expected<Directory> Parse(std::string_view text) {
    return ParseOpenvinoIr(MemorySource("dir/model.xml", AsBytes(text)), siblings_);
  }
  // The sample, with the first `from` after `after` replaced.
  Expected<Directory> ParseChanged(const std::string& from, const std::string& to,
                                   const std::string& after = "") {
    changed_ = SampleIr();
    const size_t at = changed_.find(from, changed_.find(after));
    EXPECT_NE(at, std::string::npos) << from;
    changed_.replace(at, from.size(), to);
    return Parse(changed_);
  }

  MemorySiblings siblings_ = SampleSiblings();
  std::string changed_;
};

TEST_F(OpenvinoIrTest, FindsConstantsAtEveryDepth) {
  const auto directory = Parse(SampleIr());
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  ASSERT_EQ(directory->size(), 4u);
  EXPECT_EQ(directory->files()[0].path, "model.bin");
  const TensorInfo w = directory->at(*directory->Find("w"));
  EXPECT_EQ(ShapeText(w.shape), "[2, 3]");
  EXPECT_EQ(w.bytes, 24u);
  EXPECT_EQ(directory->at(*directory->Find("w_again")).offset, w.offset);
  EXPECT_EQ(ShapeText(directory->at(*directory->Find("scalar")).shape), "[]");
  const TensorInfo inner = directory->at(*directory->Find("loop/body/w"));
  EXPECT_EQ(inner.dtype, DType::kU4);
  EXPECT_EQ(inner.offset, 32u);
  ASSERT_EQ(directory->metadata().size(), 1u);
  EXPECT_EQ(directory->metadata()[0].second, "text");
}

TEST_F(OpenvinoIrTest, NoConstantsNeedNoBin) {
  siblings_.files.clear();
  const auto directory = Parse("<net version=\"10\"><layers/></net>");
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  EXPECT_EQ(directory->size(), 0u);
  ExpectError(Parse(SampleIr()), {"weights: 'model.bin': no such file"});
}

TEST_F(OpenvinoIrTest, BadModels) {
  ExpectError(Parse("<net"), {"dir/model.xml: XML at byte", "expected an OpenVINO model"});
  ExpectError(Parse("<other/>"), {"dir/model.xml: net: 'missing'"});
  ExpectError(ParseChanged("version=\"11\"", "version=\"9\""),
              {"dir/model.xml: net version: '9'", "10 or 11"});
  ExpectError(ParseChanged("f32", "f31", "name=\"w\""),
              {"tensor 'w': element_type: 'f31'", "expected one of boolean, bf16"});
  ExpectError(ParseChanged("2, 3", "2, x", "name=\"w\""), {"tensor 'w': shape: '2, x'"});
  ExpectError(ParseChanged("2, 3", "2,", "name=\"w\""), {"tensor 'w': shape: '2,'"});
  ExpectError(ParseChanged("2, 3", "-2,3", "name=\"w\""), {"tensor 'w': shape: '-2,3'"});
  ExpectError(ParseChanged("2, 3", "4294967296, 4294967296", "name=\"w\""),
              {"tensor 'w': shape: '[4294967296, 4294967296]'"});
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  ExpectError(ParseChanged("2, 3", ones, "name=\"w\""), {"tensor 'w': shape", "at most 64"});
  ExpectError(ParseChanged("offset=\"0\"", "", "name=\"w\""), {"tensor 'w': offset: ''"});
  ExpectError(ParseChanged("offset=\"0\"", "offset=\"1z\"", "name=\"w\""),
              {"tensor 'w': offset: '1z'", "expected an integer"});
  ExpectError(ParseChanged("size=\"24\"", "size=\"-1\"", "name=\"w\""), {"tensor 'w': size: '-1'"});
  ExpectError(ParseChanged("size=\"24\"", "size=\"23\"", "name=\"w\""),
              {"tensor 'w': offset and size: size in bytes: '23'", "expected 24"});
  ExpectError(ParseChanged("offset=\"0\"", "offset=\"41\"", "name=\"w\""),
              {"'24 bytes at offset 41'", "within the 64 bytes of model.bin"});
  ExpectError(ParseChanged("offset=\"0\"", "offset=\"18446744073709551615\"", "name=\"w\""),
              {"'24 bytes at offset 18446744073709551615'"});
  ExpectError(ParseChanged("offset=\"0\"", "offset=\"8\"", "name=\"w_again\""),
              {"expected no overlap with tensor"});
  ExpectError(ParseChanged("w_again", "w"), {"tensor name: 'w'", "duplicate"});
}

TEST_F(OpenvinoIrTest, SizeIsLimited) {
  class Huge : public MemorySource {
   public:
    Huge() : MemorySource("huge.xml", {}) {}
    uint64_t size() const override { return (uint64_t{1} << 30) + 1; }
  };
  ExpectError(ParseOpenvinoIr(Huge(), siblings_), {"huge.xml: file size in bytes: '1073741825'"});
}

TEST_F(OpenvinoIrTest, TruncatedAnywhere) {
  const std::string whole = SampleIr();
  // After </net> there is only a line end.
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    const auto directory = Parse(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(directory.has_value()) << size;
  }
}

}  // namespace
}  // namespace plimsoll::weights
