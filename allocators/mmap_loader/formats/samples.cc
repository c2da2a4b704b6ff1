#include "allocators/mmap_loader/formats/samples.h"

#include <onnx/onnx_pb.h>

namespace plimsoll::weights {
namespace {

onnx::TensorProto* AddInitializer(onnx::ModelProto& model, const char* name, int type,
                                  std::initializer_list<int64_t> shape) {
  onnx::TensorProto* tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  for (const int64_t dimension : shape) tensor->add_dims(dimension);
  return tensor;
}

void AddExternal(onnx::TensorProto* tensor, const char* key, const char* value) {
  onnx::StringStringEntryProto* entry = tensor->add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

}  // namespace

std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string GgufString(std::string_view text) {
  return Raw(uint64_t{text.size()}) + std::string(text);
}

std::string GgufPair(std::string_view key, uint32_t type, std::string_view value) {
  return GgufString(key) + Raw(type) + std::string(value);
}

std::string GgufTensor(std::string_view name, const std::vector<uint64_t>& dimensions,
                       uint32_t type, uint64_t offset) {
  std::string bytes = GgufString(name) + Raw(static_cast<uint32_t>(dimensions.size()));
  for (const uint64_t dimension : dimensions) bytes += Raw(dimension);
  return bytes + Raw(type) + Raw(offset);
}

std::string GgufFile::Bytes() const {
  std::string bytes =
      "GGUF" + Raw(version) + Raw(uint64_t{tensors.size()}) + Raw(uint64_t{pairs.size()});
  for (const std::string& pair : pairs) bytes += pair;
  for (const std::string& tensor : tensors) bytes += tensor;
  if (!tensors.empty()) bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  return bytes + data;
}

GgufFile SampleGguf() {
  GgufFile file;
  file.alignment = 64;
  file.pairs = {
      GgufPair("general.alignment", 4, Raw(uint32_t{64})),
      GgufPair("general.name", 8, GgufString("sample")),
      GgufPair("u8", 0, Raw(uint8_t{200})),
      GgufPair("i8", 1, Raw(int8_t{-2})),
      GgufPair("u16", 2, Raw(uint16_t{3})),
      GgufPair("i16", 3, Raw(int16_t{-4})),
      GgufPair("i32", 5, Raw(int32_t{-6})),
      GgufPair("f32", 6, Raw(0.5f)),
      GgufPair("yes", 7, Raw(uint8_t{1})),
      GgufPair("u64", 10, Raw(uint64_t{1} << 40)),
      GgufPair("i64", 11, Raw(int64_t{-7})),
      GgufPair("f64", 12, Raw(0.25)),
      GgufPair("tokens", 9,
               Raw(uint32_t{8}) + Raw(uint64_t{2}) + GgufString("a") + GgufString("bc")),
      GgufPair("scores", 9, Raw(uint32_t{6}) + Raw(uint64_t{3}) + std::string(12, 's')),
      GgufPair("nested", 9,
               Raw(uint32_t{9}) + Raw(uint64_t{1}) + Raw(uint32_t{0}) + Raw(uint64_t{2}) + "xy"),
  };
  file.tensors = {
      GgufTensor("f", {3, 2}, 0, 0),
      GgufTensor("q", {64, 1}, 2, 64),
      GgufTensor("scalar", {}, 24, 128),
  };
  file.data = std::string(129, 'd');
  return file;
}

std::string SampleOnnx() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("plimsoll");
  model.add_opset_import()->set_version(13);
  AddInitializer(model, "raw", onnx::TensorProto::FLOAT, {2, 2})->set_raw_data("0123456789abcdef");
  onnx::TensorProto* floats = AddInitializer(model, "floats", onnx::TensorProto::FLOAT, {3});
  for (const float value : {1.5f, -2.0f, 0.25f}) floats->add_float_data(value);
  onnx::TensorProto* integers = AddInitializer(model, "integers", onnx::TensorProto::INT64, {2});
  integers->add_int64_data(-1);
  integers->add_int64_data(300);
  onnx::TensorProto* outside = AddInitializer(model, "outside", onnx::TensorProto::DOUBLE, {8});
  outside->set_data_location(onnx::TensorProto::EXTERNAL);
  AddExternal(outside, "location", "weights.bin");
  AddExternal(outside, "offset", "64");
  AddExternal(outside, "length", "64");
  onnx::TensorProto* same = AddInitializer(model, "same", onnx::TensorProto::FLOAT, {16});
  same->set_data_location(onnx::TensorProto::EXTERNAL);
  AddExternal(same, "location", "weights.bin");
  AddExternal(same, "offset", "64");
  AddInitializer(model, "words", onnx::TensorProto::STRING, {1})->add_string_data("word");
  return model.SerializeAsString();
}

std::string SampleIr() {
  return R"(<?xml version="1.0"?>
<net name="sample" version="11">
  <layers>
    <layer id="0" name="input" type="Parameter" version="opset1">
      <data shape="1,2" element_type="f32" />
    </layer>
    <layer id="1" name="w" type="Const" version="opset1">
      <data element_type="f32" shape="2, 3" offset="0" size="24" />
    </layer>
    <layer id="2" name="w_again" type="Const" version="opset1">
      <data element_type="f32" shape="2, 3" offset="0" size="24" />
    </layer>
    <layer id="3" name="scalar" type="Const" version="opset1">
      <data element_type="i64" shape="" offset="24" size="8" />
    </layer>
    <layer id="4" name="text" type="Const" version="opset15">
      <data element_type="string" shape="1" offset="60" size="4" />
    </layer>
    <layer id="5" name="loop" type="Loop" version="opset5">
      <data />
      <body>
        <layers>
          <layer id="0" name="w" type="Const" version="opset1">
            <data element_type="u4" shape="5" offset="32" size="3" />
          </layer>
        </layers>
      </body>
    </layer>
  </layers>
</net>
)";
}

std::string SampleBlob() {
  return R"({"format": "plimsoll-blob", "version": 1, "byte_order": "little", "alignment": 64,
 "metadata": {"from": "sample"},
 "files": [{"path": "m.blob", "bytes": 128}],
 "tensors": [
  {"name": "a", "dtype": "F32", "shape": [2, 3], "file": 0, "offset": 0, "bytes": 24},
  {"name": "b", "dtype": "U8", "shape": [60], "file": 0, "offset": 64, "bytes": 60,
   "xxh3": "00000000000000ff"}]}
)";
}

Expected<std::shared_ptr<const ByteSource>> MemorySiblings::Open(const std::string& name,
                                                                 FieldName field) {
  const auto file = files.find(name);
  if (file == files.end()) return BadValue("first", field.Text(), Printable(name), "no such file");
  ++opened;
  return std::make_shared<MemorySource>(name, AsBytes(file->second));
}

MemorySiblings SampleSiblings() {
  MemorySiblings siblings;
  siblings.files["weights.bin"] = std::string(128, 'w');
  siblings.files["model.bin"] = std::string(64, 'm');
  siblings.files["m.blob"] = std::string(128, 'b');
  return siblings;
}

}  // namespace plimsoll::weights
