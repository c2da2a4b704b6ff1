#include "allocators/mmap_loader/formats/onnx.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "allocators/mmap_loader/formats/samples.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

class OnnxTest : public testing::Test {
 protected:
  Expected<Directory> Parse(std::string_view bytes) {
    return ParseOnnx(MemorySource("m.onnx", AsBytes(bytes)), siblings_);
  }
  // The sample, its initializer `index` changed.
  Expected<Directory> ParseChanged(int index,
                                   const std::function<void(onnx::TensorProto&)>& change) {
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(SampleOnnx()));
    change(*model.mutable_graph()->mutable_initializer(index));
    changed_ = model.SerializeAsString();
    return Parse(changed_);
  }
  // The same for external_data["key"] of the initializer "outside".
  Expected<Directory> ParseExternal(int entry, const std::string& value) {
    return ParseChanged(3, [&](onnx::TensorProto& tensor) {
      tensor.mutable_external_data(entry)->set_value(value);
    });
  }

  MemorySiblings siblings_ = SampleSiblings();
  std::string changed_;
};

TEST_F(OnnxTest, FindsArraysInPlace) {
  const std::string bytes = SampleOnnx();
  const auto directory = Parse(bytes);
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  ASSERT_EQ(directory->size(), 5u);
  const TensorInfo raw = directory->at(0);
  EXPECT_EQ(raw.file, 0u);
  EXPECT_EQ(bytes.substr(raw.offset, raw.bytes), "0123456789abcdef");
  const TensorInfo floats = directory->at(1);
  float values[3];
  ASSERT_EQ(floats.bytes, sizeof(values));
  std::memcpy(values, bytes.data() + floats.offset, sizeof(values));
  EXPECT_EQ(values[1], -2.0f);
  const TensorInfo integers = directory->at(2);
  ASSERT_EQ(integers.file, kInline);
  int64_t numbers[2];
  std::memcpy(numbers, directory->InlineBytes(integers).data(), sizeof(numbers));
  EXPECT_EQ(numbers[0], -1);
  EXPECT_EQ(numbers[1], 300);
  const TensorInfo outside = directory->at(3);
  EXPECT_EQ(directory->files()[outside.file].path, "weights.bin");
  EXPECT_EQ(outside.offset, 64u);
  EXPECT_EQ(directory->at(4).offset, 64u) << "two tensors may share";
  EXPECT_EQ(siblings_.opened, 1);
  ASSERT_EQ(directory->metadata().size(), 1u);
  EXPECT_EQ(directory->metadata()[0].second, "words");
}

TEST_F(OnnxTest, NarrowIntegersAreDecoded) {
  const auto directory = ParseChanged(2, [](onnx::TensorProto& tensor) {
    tensor.clear_int64_data();
    tensor.set_data_type(onnx::TensorProto::INT8);
    tensor.add_int32_data(-3);
    tensor.add_int32_data(100);
  });
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  const auto bytes = directory->InlineBytes(directory->at(2));
  ASSERT_EQ(bytes.size(), 2u);
  EXPECT_EQ(static_cast<int8_t>(bytes[0]), -3);
  EXPECT_EQ(static_cast<int8_t>(bytes[1]), 100);
}

TEST_F(OnnxTest, NewerTypesThanTheInstalledProto) {
  const auto directory = ParseChanged(0, [](onnx::TensorProto& tensor) {
    tensor.set_data_type(22);  // INT4
    tensor.set_raw_data("12");
  });
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  EXPECT_EQ(directory->at(0).dtype, DType::kI4);
}

TEST_F(OnnxTest, BadTensors) {
  ExpectError(ParseChanged(0, [](auto& t) { t.set_data_type(24); }),
              {"m.onnx: tensor 'raw': data_type: 'unknown'", "expected 1 to 23"});
  ExpectError(ParseChanged(0, [](auto& t) { t.set_data_type(0); }), {"data_type: '0'"});
  ExpectError(ParseChanged(0, [](auto& t) { t.set_name(""); }), {"tensor name: ''"});
  ExpectError(ParseChanged(0, [](auto& t) { t.set_name("same"); }),
              {"tensor name: 'same'", "duplicate"});
  ExpectError(ParseChanged(0, [](auto& t) { t.set_dims(0, 3); }),
              {"tensor 'raw': raw_data: size in bytes: '16'", "expected 24"});
  ExpectError(ParseChanged(0, [](auto& t) { t.set_dims(0, -1); }),
              {"tensor 'raw': shape: '[18446744073709551615, 2]'"});
  ExpectError(ParseChanged(0, [](auto& t) { t.clear_raw_data(); }),
              {"tensor 'raw': raw_data: size in bytes: '0'", "expected 16"});
  ExpectError(ParseChanged(2, [](auto& t) { t.add_int64_data(1); }),
              {"tensor 'integers': size in bytes: '24'"});
  ExpectError(ParseChanged(0, [](auto& t) { t.add_float_data(1); }),
              {"m.onnx: protobuf at byte", "a second array for one tensor"});
  ExpectError(ParseChanged(0,
                           [](auto& t) {
                             for (int i = 0; i < 64; ++i) t.add_dims(1);
                           }),
              {"protobuf at byte", "'dims'"});
}

TEST_F(OnnxTest, BadExternalData) {
  ExpectError(ParseExternal(0, "missing.bin"), {"tensor 'outside': external_data: location"});
  ExpectError(ParseChanged(3, [](auto& t) { t.mutable_external_data(0)->set_key("place"); }),
              {"m.onnx: tensor 'outside': external_data: location: 'missing'"});
  ExpectError(ParseChanged(3, [](auto& t) { t.mutable_external_data(2)->set_key("offset"); }),
              {"external_data: 'offset'", "duplicate"});
  for (const char* bad : {"", "-1", "6x", " 6", "18446744073709551616", "1e3"}) {
    ExpectError(ParseExternal(1, bad),
                {"tensor 'outside': external_data: offset: '" + std::string(bad) + "'",
                 "expected an integer"});
  }
  ExpectError(ParseExternal(2, "?"), {"tensor 'outside': external_data: length: '?'"});
  ExpectError(ParseExternal(1, "65"), {"tensor 'outside': external_data: '64 bytes at offset 65'",
                                       "within the 128 bytes of weights.bin"});
  ExpectError(ParseExternal(1, "18446744073709551615"),
              {"'64 bytes at offset 18446744073709551615'"});
  ExpectError(ParseExternal(2, "63"), {"size in bytes: '63'", "expected 64"});
  ExpectError(ParseExternal(1, "32"), {"bytes", "expected no overlap with tensor"});
}

TEST_F(OnnxTest, WhatIsNoModel) {
  ExpectError(Parse("not a model at all"), {"m.onnx: protobuf at byte"});
  onnx::ModelProto model;
  ExpectError(Parse(model.SerializeAsString() + std::string("\x12\x00", 2)),
              {"m.onnx: ir_version: '0'"});
  model.set_ir_version(3);
  changed_ = model.SerializeAsString();
  ExpectError(Parse(changed_), {"m.onnx: graph: 'missing'"});
}

TEST_F(OnnxTest, TruncatedInsideTheGraph) {
  const std::string whole = SampleOnnx();
  int errors = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto directory = Parse(std::string_view(whole).substr(0, size));
    if (!directory) {
      ExpectLineWith(directory.error().message, {"m.onnx: "});
      ++errors;
    }
  }
  // What follows the graph, an opset import, may be cut between two fields.
  EXPECT_GE(errors, static_cast<int>(whole.size()) - 5);
}

TEST_F(OnnxTest, LargerThanProtobufsLimit) {
  class Huge : public MemorySource {
   public:
    Huge() : MemorySource("huge.onnx", {}) {}
    uint64_t size() const override { return uint64_t{1} << 31; }
  };
  ExpectError(ParseOnnx(Huge(), siblings_), {"huge.onnx: file size in bytes: '2147483648'"});
}

TEST_F(OnnxTest, AReadErrorIsTheError) {
  class Broken : public MemorySource {
   public:
    Broken() : MemorySource("broken.onnx", {}) {}
    uint64_t size() const override { return 1000; }
  };
  ExpectError(ParseOnnx(Broken(), siblings_), {"broken.onnx: bytes read at offset 0"});
}

}  // namespace
}  // namespace plimsoll::weights
