#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "allocators/mmap_loader/loader.h"
#include "allocators/mmap_loader/test_files.h"
#include "allocators/mmap_loader/write/blob_writer.h"
#include "allocators/mmap_loader/write/safetensors_writer.h"
#include "base/file.h"

namespace plimsoll::weights {
namespace {

// A tensor of a pattern, handed over in pieces of 1000 bytes.
TensorToWrite Patterned(std::string name, DType dtype, std::vector<uint64_t> shape) {
  const size_t bytes = ByteCount(dtype, shape).value();
  const auto seed = static_cast<uint32_t>(name.size() * 31 + bytes);
  return {.name = std::move(name),
          .dtype = dtype,
          .shape = std::move(shape),
          .read = [bytes, seed](const ByteSink& sink) -> Status {
            const std::string all = Pattern(bytes, seed);
            for (size_t begin = 0; begin < bytes; begin += 1000) {
              const auto piece =
                  std::span(all).subspan(begin, std::min<size_t>(1000, bytes - begin));
              if (Status taken = sink(std::as_bytes(piece)); !taken) return taken;
            }
            return {};
          }};
}

std::string BytesOf(const TensorToWrite& tensor) {
  std::string all;
  EXPECT_TRUE(tensor
                  .read([&](std::span<const std::byte> piece) -> Status {
                    all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                    return {};
                  })
                  .has_value());
  return all;
}

class WritersTest : public testing::Test {
 protected:
  // Opens what was written, with verification, and compares every tensor.
  void ExpectSame(const std::string& path, const std::vector<TensorToWrite>& tensors) {
    const auto weights = loader_.Open(path, {.verify = true});
    ASSERT_TRUE(weights.has_value()) << MessageOf(weights);
    EXPECT_EQ(weights->directory().size(), tensors.size());
    for (const TensorToWrite& wanted : tensors) {
      const auto tensor = weights->Acquire(wanted.name);
      ASSERT_TRUE(tensor.has_value()) << MessageOf(tensor);
      EXPECT_EQ(tensor->info().dtype, wanted.dtype);
      EXPECT_EQ(ShapeText(tensor->info().shape), ShapeText(wanted.shape));
      std::string bytes(tensor->info().bytes, ' ');
      ASSERT_TRUE(tensor->CopyTo(std::as_writable_bytes(std::span(bytes))).has_value());
      EXPECT_EQ(bytes, BytesOf(wanted)) << wanted.name;
      const uint64_t width = std::max(1u, InfoOf(wanted.dtype).block_bits / 8);
      if (InfoOf(wanted.dtype).block_elements == 1 && !bytes.empty()) {
        const auto address = reinterpret_cast<uintptr_t>(tensor->Bytes()->data());
        EXPECT_EQ(address % width, 0u) << wanted.name << " is aligned";
      }
    }
  }

  TestFolder folder_;
  Loader loader_;
  Os& os_ = Os::Real();
  const std::vector<TensorToWrite> tensors_ = {
      Patterned("odd", DType::kU8, {1001}),
      Patterned("weights \"quoted\" \xc3\xa4\n", DType::kF32, {30, 7}),
      Patterned("half", DType::kF16, {3}),
      Patterned("scalar", DType::kI64, {}),
      Patterned("none", DType::kF64, {0, 4}),
  };
};

TEST_F(WritersTest, SafetensorsRoundTrip) {
  for (const bool checksums : {false, true}) {
    const std::string path = folder_.Path("m.safetensors");
    const auto written =
        WriteSafetensors(os_, path, tensors_,
                         {.metadata = {{"format", "pt"}, {"plimsoll.xxh3:old", "not copied"}},
                          .checksums = checksums});
    ASSERT_TRUE(written.has_value()) << MessageOf(written);
    EXPECT_EQ(*written, path);
    ExpectSame(path, tensors_);
    const Weights weights = *loader_.Open(path);
    ASSERT_EQ(weights.directory().metadata().size(), 1u);
    EXPECT_EQ(weights.directory().metadata()[0].second, "pt");
    EXPECT_EQ(weights.directory().at(0).checksum.has_value(), checksums);
  }
}

TEST_F(WritersTest, AFlippedBitIsFoundByItsChecksum) {
  const std::string path = folder_.Path("m.safetensors");
  ASSERT_TRUE(WriteSafetensors(os_, path, tensors_, {.checksums = true}).has_value());
  std::string bytes = *ReadFile(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 4);
  folder_.Write("m.safetensors", bytes);
  const Weights weights = *loader_.Open(path, {.verify = true});
  ExpectError(weights.Acquire("odd"), {"tensor 'odd': checksum"});
  EXPECT_TRUE(weights.Acquire("half").has_value());
}

TEST_F(WritersTest, ShardsAndTheirIndex) {
  const auto written = WriteSafetensors(os_, folder_.Path("m.safetensors"), tensors_,
                                        {.checksums = true, .shard_bytes = 848});
  ASSERT_TRUE(written.has_value()) << MessageOf(written);
  EXPECT_EQ(*written, folder_.Path("m.safetensors.index.json"));
  // I64 8, F64 0 and F32 840; then F16 6; U8 1001 is larger than a shard.
  EXPECT_TRUE(std::filesystem::exists(folder_.Path("m-00003-of-00003.safetensors")));
  ExpectSame(*written, tensors_);
}

TEST_F(WritersTest, BlobRoundTrip) {
  std::vector<TensorToWrite> tensors = tensors_;
  tensors.push_back(Patterned("quantised", DType::kQ4_0, {2, 64}));
  tensors.push_back(Patterned("bits", DType::kU4, {5}));
  const std::string path = folder_.Path("m.blob.json");
  for (const bool checksums : {false, true}) {
    const Status written = WriteBlob(
        os_, path, tensors, {.metadata = {{"k", "v"}}, .checksums = checksums, .alignment = 256});
    ASSERT_TRUE(written.has_value()) << MessageOf(written);
    ExpectSame(path, tensors);
    EXPECT_EQ(loader_.Open(path)->directory().metadata()[0].first, "k");
  }
  ASSERT_TRUE(WriteBlob(os_, path, {}, {}).has_value());
  EXPECT_EQ(loader_.Open(path)->directory().size(), 0u);
}

TEST_F(WritersTest, OneFormatToAnother) {
  const std::string first = folder_.Path("a.blob.json");
  const std::string second = folder_.Path("b.safetensors");
  ASSERT_TRUE(WriteBlob(os_, first, tensors_, {}).has_value());
  const Weights weights = *loader_.Open(first);
  ASSERT_TRUE(WriteSafetensors(os_, second, TensorsOf(weights), {}).has_value());
  ExpectSame(second, tensors_);
  EXPECT_EQ(loader_.Stats().tensors, 0u);
}

TEST_F(WritersTest, WhatCannotBeWritten) {
  const std::string safetensors = folder_.Path("m.safetensors");
  const std::string blob = folder_.Path("m.blob.json");
  const auto write = [&](TensorToWrite tensor) {
    return WriteSafetensors(os_, safetensors, {std::move(tensor)}, {});
  };
  const auto write_blob = [&](TensorToWrite tensor) {
    return WriteBlob(os_, blob, {std::move(tensor)}, {});
  };
  ExpectError(WriteSafetensors(os_, folder_.Path("m.bin"), {}, {}), {"ends in .safetensors"});
  ExpectError(WriteBlob(os_, folder_.Path("m.json"), {}, {}), {"ends in .blob.json"});
  ExpectError(WriteBlob(os_, blob, {}, {.alignment = 48}), {"alignment: '48'", "power of two"});
  ExpectError(write(Patterned("q", DType::kQ8_0, {32})),
              {"tensor 'q': dtype: 'Q8_0'", "expected one of BOOL", "format blob"});
  ExpectError(write(Patterned("f", DType::kF4, {3})), {"tensor 'f': shape", "whole bytes"});
  ExpectError(write(Patterned("", DType::kU8, {1})), {"tensor name: ''"});
  ExpectError(write(Patterned("__metadata__", DType::kU8, {1})), {"tensor name: '__metadata__'"});
  ExpectError(write(Patterned("\xff", DType::kU8, {1})), {"tensor name: '\\xff'", "UTF-8"});
  ExpectError(write_blob(Patterned("", DType::kU8, {1})), {"tensor name: ''"});
  ExpectError(write_blob(Patterned("\xff", DType::kU8, {1})), {"tensor name: '\\xff'", "UTF-8"});
  TensorToWrite huge = Patterned("h", DType::kU8, {1});
  huge.shape = {uint64_t{1} << 62, 8};
  ExpectError(write(huge), {"tensor 'h': shape", "less than 2^61"});
  TensorToWrite shorter = Patterned("s", DType::kU8, {10});
  shorter.shape = {11};
  ExpectError(write(shorter), {"tensor 's': bytes to write: '10'", "expected 11"});
  shorter.shape = {9};
  ExpectError(write_blob(shorter), {"tensor 's': bytes to write: '10'", "expected 9"});
  const std::vector<TensorToWrite> twins = {Patterned("t", DType::kU8, {1}),
                                            Patterned("t", DType::kU8, {1})};
  ExpectError(WriteSafetensors(os_, safetensors, twins, {}), {"tensor name: 't'", "duplicate"});
  ExpectError(WriteBlob(os_, blob, twins, {}), {"tensor name: 't'", "duplicate"});
  ExpectError(WriteSafetensors(os_, safetensors, {}, {.metadata = {{"k", "1"}, {"k", "2"}}}),
              {"metadata key: 'k'", "duplicate"});
  ExpectError(WriteBlob(os_, blob, {}, {.metadata = {{"k", "\xff"}}}), {"metadata value", "UTF-8"});
  EXPECT_TRUE(std::filesystem::is_empty(folder_.Path(""))) << "nothing is left behind";
}

class FullDiskOs : public Os {
 public:
  ssize_t Pwrite(int descriptor, const void* from, size_t bytes, off_t offset) override {
    if (offset > 500) {
      errno = ENOSPC;
      return -1;
    }
    return Os::Pwrite(descriptor, from, bytes, offset);
  }
};

TEST_F(WritersTest, AFullDiskKeepsTheOldFile) {
  const std::string path = folder_.Path("m.safetensors");
  ASSERT_TRUE(WriteSafetensors(os_, path, {tensors_[2]}, {}).has_value());
  FullDiskOs full;
  ExpectError(WriteSafetensors(full, path, tensors_, {}),
              {"m.safetensors: write", "No space left"});
  ExpectSame(path, {tensors_[2]});
}

}  // namespace
}  // namespace plimsoll::weights
