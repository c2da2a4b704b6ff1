#include "allocators/mmap_loader/formats/blob.h"

#include <gtest/gtest.h>

#include <string>

#include "allocators/mmap_loader/formats/samples.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

class BlobTest : public testing::Test {
 protected:
  Expected<Directory> Parse(std::string_view text) {
    return ParseBlob(MemorySource("m.blob.json", AsBytes(text)), siblings_);
  }
  Expected<Directory> ParseChanged(const std::string& from, const std::string& to) {
    changed_ = SampleBlob();
    const size_t at = changed_.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed_.replace(at, from.size(), to);
    return Parse(changed_);
  }

  MemorySiblings siblings_ = SampleSiblings();
  std::string changed_;
};

TEST_F(BlobTest, ReadsTheIndex) {
  const auto directory = Parse(SampleBlob());
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  ASSERT_EQ(directory->size(), 2u);
  EXPECT_EQ(directory->files()[0].path, "m.blob");
  EXPECT_EQ(directory->metadata()[0].second, "sample");
  const TensorInfo b = directory->at(1);
  EXPECT_EQ(b.offset, 64u);
  EXPECT_EQ(b.checksum, 255u);
}

TEST_F(BlobTest, BadIndexes) {
  ExpectError(Parse("[]"), {"m.blob.json: index", "starts with '{'"});
  ExpectError(Parse(SampleBlob() + "x"), {"m.blob.json: index"});
  ExpectError(Parse("{}"), {"tensors: 'missing'"});
  ExpectError(ParseChanged("plimsoll-blob", "other"), {"format: 'other'", "'plimsoll-blob'"});
  ExpectError(ParseChanged("\"version\": 1", "\"version\": 2"), {"version: '2'", "expected 1"});
  ExpectError(ParseChanged("little", "big"), {"byte_order: 'big'", "expected 'little'"});
  ExpectError(ParseChanged("\"alignment\": 64", "\"alignment\": 48"),
              {"alignment: '48'", "power of two"});
  ExpectError(ParseChanged("\"alignment\": 64", "\"alignment\": 2147483648"),
              {"alignment: '2147483648'", "up to 1073741824"});
  ExpectError(ParseChanged("\"alignment\": 64", "\"alignment\": 128"),
              {"tensor 'b': offset: '64'", "multiple of the alignment 128"});
  ExpectError(ParseChanged("\"alignment\": 64", "\"alignment\": -1"), {"alignment"});
  ExpectError(ParseChanged("\"metadata\"", "\"metadate\""), {"index: 'metadate'", "the fields"});
  ExpectError(ParseChanged("\"metadata\"", "\"format\""), {"index: 'format'", "duplicate"});
  ExpectError(ParseChanged("\"sample\"", "7"), {"metadata 'from'", "expected a string"});
  ExpectError(ParseChanged("\"files\": [{\"path\": \"m.blob\", \"bytes\": 128}],\n", ""),
              {"tensors: 'too early'"});
  ExpectError(ParseChanged("m.blob", "n.blob"), {"files: path: 'n.blob'"});
  ExpectError(ParseChanged("\"path\": \"m.blob\", ", ""), {"files: 'no path'"});
  ExpectError(ParseChanged("\"bytes\": 128", "\"size\": 128"), {"files: 'size'"});
  ExpectError(ParseChanged(", \"bytes\": 128", ""), {"files: 'no bytes'"});
  ExpectError(ParseChanged("128", "129"),
              {"m.blob: file size in bytes: '128'", "expected 129, as m.blob.json says"});
  ExpectError(ParseChanged("[{\"path\": \"m.blob\", \"bytes\": 128}]", "5"),
              {"files", "expected an array"});
}

TEST_F(BlobTest, BadTensors) {
  ExpectError(ParseChanged("\"name\": \"a\", ", ""), {"tensor '': fields: 'incomplete'"});
  ExpectError(ParseChanged("\"shape\": [2, 3], ", ""), {"tensor 'a': fields: 'incomplete'"});
  ExpectError(ParseChanged("\"shape\": [2, 3]", "\"shape\": [2, -3]"), {"tensor 'a': shape"});
  ExpectError(ParseChanged("F32", "F31"), {"tensor 'a': dtype: 'F31'"});
  ExpectError(ParseChanged("\"file\": 0", "\"file\": 1"), {"tensor 'a': file: '1'", "less than 1"});
  ExpectError(ParseChanged("\"bytes\": 24", "\"bytes\": 20"),
              {"size in bytes: '20'", "expected 24"});
  ExpectError(ParseChanged("\"offset\": 64", "\"offset\": 128"), {"'60 bytes at offset 128'"});
  ExpectError(ParseChanged("\"offset\": 64", "\"offset\": 18446744073709551615"),
              {"'60 bytes at offset 18446744073709551615'"});
  ExpectError(ParseChanged("\"offset\": 64", "\"offset\": 0"), {"expected no overlap"});
  ExpectError(ParseChanged("\"name\": \"b\"", "\"name\": \"a\""),
              {"tensor name: 'a'", "duplicate"});
  ExpectError(ParseChanged("00000000000000ff", "ff"), {"tensor 'b': xxh3: 'ff'", "16 hexadecimal"});
  ExpectError(ParseChanged("\"xxh3\"", "\"sha\""), {"tensor 'b': sha: 'sha'", "the fields"});
  ExpectError(ParseChanged("\"bytes\": 60", "\"bytes\": 60, \"bytes\": 60"), {"duplicate"});
  // Behind the last tensor there may be padding, but less than the alignment.
  siblings_.files["m.blob"].resize(188);
  ExpectError(ParseChanged("128", "188"), {"m.blob: file size in bytes: '188'", "bytes trail"});
  siblings_.files["m.blob"].resize(187);
  EXPECT_TRUE(ParseChanged("128", "187").has_value());
  // As between two tensors.
  siblings_.files["m.blob"].resize(256);
  changed_ = SampleBlob();
  changed_.replace(changed_.find("128"), 3, "256");
  changed_.replace(changed_.find("\"offset\": 64"), 12, "\"offset\": 192");
  ExpectError(Parse(changed_), {"tensor 'b': offset: '192'", "a hole follows"});
}

TEST_F(BlobTest, SizeIsLimited) {
  class Endless : public MemorySource {
   public:
    Endless() : MemorySource("endless", {}) {}
    uint64_t size() const override { return kBlobLongestIndex + 1; }
  };
  ExpectError(ParseBlob(Endless(), siblings_), {"endless: index size in bytes: '100000001'"});
}

TEST_F(BlobTest, TruncatedAnywhere) {
  const std::string whole = SampleBlob();
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    ASSERT_FALSE(Parse(std::string_view(whole).substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace plimsoll::weights
