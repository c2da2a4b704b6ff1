#include "allocators/mmap_loader/fuzz/targets.h"

#include <memory>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"
#include "allocators/mmap_loader/formats/blob.h"
#include "allocators/mmap_loader/formats/gguf.h"
#include "allocators/mmap_loader/formats/onnx.h"
#include "allocators/mmap_loader/formats/openvino_ir.h"
#include "allocators/mmap_loader/formats/safetensors.h"
#include "allocators/mmap_loader/formats/samples.h"
#include "base/check.h"

namespace plimsoll::weights {
namespace {

constexpr char kPath[] = "fuzz/model.xml";

// Names that begin with 's' are one of two shards; any other is a file of 128 bytes.
class AnySiblings : public Siblings {
 public:
  Expected<std::shared_ptr<const ByteSource>> Open(const std::string& name,
                                                   FieldName field) override {
    if (const Status inside = CheckSiblingName(kPath, field, name); !inside) {
      return tl::unexpected(inside.error());
    }
    const std::string& bytes =
        !name.starts_with('s') ? plain_ : (name.size() % 2 == 0 ? even_ : odd_);
    return std::make_shared<MemorySource>(name, AsBytes(bytes));
  }

 private:
  static std::string Shard(const std::string& header) {
    return Raw(uint64_t{header.size()}) + header + "12345678";
  }
  const std::string plain_ = std::string(128, 'p');
  const std::string even_ = Shard(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                  R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})");
  const std::string odd_ = Shard(R"({"c":{"dtype":"F64","shape":[],"data_offsets":[0,8]}})");
};

void CheckTensor(const Directory& directory, size_t index) {
  const TensorInfo info = directory.at(index);
  PLIMSOLL_CHECK(!info.name.empty(), "a tensor has a name");
  PLIMSOLL_CHECK(directory.Find(info.name) == index, "a name leads to its tensor");
  PLIMSOLL_CHECK(ByteCount(info.dtype, info.shape) == info.bytes, "shape and dtype make the size");
  if (info.file == kInline) {
    PLIMSOLL_CHECK(directory.InlineBytes(info).size() == info.bytes, "inline bytes are there");
    return;
  }
  PLIMSOLL_CHECK(info.file < directory.files().size(), "a tensor's file is known");
  const uint64_t file_bytes = directory.files()[info.file].bytes;
  PLIMSOLL_CHECK(info.offset <= file_bytes && info.bytes <= file_bytes - info.offset,
                 "a tensor lies within its file");
}

bool CheckParsed(const Expected<Directory>& directory) {
  if (!directory) {
    const std::string& message = directory.error().message;
    PLIMSOLL_CHECK(message.size() > 2 && message.find('\n') == std::string::npos,
                   "an error is one line");
    PLIMSOLL_CHECK(message.size() < 10'000, "an error is a short line");
    return false;
  }
  for (size_t i = 0; i < directory->size(); ++i) CheckTensor(*directory, i);
  return true;
}

template <Expected<Directory> (*kParse)(const ByteSource&)>
bool RunAlone(std::span<const std::byte> bytes) {
  return CheckParsed(kParse(MemorySource(kPath, bytes)));
}

template <Expected<Directory> (*kParse)(const ByteSource&, Siblings&)>
bool RunWithSiblings(std::span<const std::byte> bytes) {
  AnySiblings siblings;
  return CheckParsed(kParse(MemorySource(kPath, bytes), siblings));
}

std::string Safetensors(const std::string& header, size_t data) {
  return Raw(uint64_t{header.size()}) + header + std::string(data, 'd');
}

std::vector<std::string> SafetensorsSeeds() {
  return {
      Safetensors("{}", 0),
      Safetensors(R"({"__metadata__":{"format":"pt","plimsoll.xxh3:b":"0123456789abcdef"},)"
                  R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                  R"("b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]},)"
                  R"("c\u00e4":{"dtype":"F4","shape":[4,3],"data_offsets":[10,16]}}   )",
                  16),
      Safetensors(R"({"z":{"data_offsets":[0,0],"shape":[0,7],"dtype":"I64","x":[{}]}})", 0),
  };
}

std::vector<std::string> IndexSeeds() {
  return {
      R"({"weight_map":{}})",
      R"({"metadata":{"total_size":16},"weight_map":{"a":"s1","c":"s01","b":"s1"}})",
  };
}

std::vector<std::string> OnnxSeeds() { return {SampleOnnx()}; }

std::vector<std::string> IrSeeds() { return {SampleIr(), R"(<net version="10"><layers/></net>)"}; }

std::vector<std::string> GgufSeeds() {
  GgufFile second;
  second.version = 2;
  second.tensors = {GgufTensor("t", {256}, 14, 0)};
  second.data = std::string(210, 'd');
  return {SampleGguf().Bytes(), GgufFile().Bytes(), second.Bytes()};
}

std::vector<std::string> BlobSeeds() {
  return {SampleBlob(),
          R"({"format":"plimsoll-blob","version":1,"byte_order":"little","alignment":1024,)"
          R"("files":[],"tensors":[]})"};
}

}  // namespace

const std::vector<FuzzTarget>& FuzzTargets() {
  static const std::vector<FuzzTarget> targets = {
      {"safetensors", RunAlone<ParseSafetensors>, SafetensorsSeeds},
      {"safetensors_index", RunWithSiblings<ParseSafetensorsIndex>, IndexSeeds},
      {"onnx", RunWithSiblings<ParseOnnx>, OnnxSeeds},
      {"openvino_ir", RunWithSiblings<ParseOpenvinoIr>, IrSeeds},
      {"gguf", RunAlone<ParseGguf>, GgufSeeds},
      {"blob", RunWithSiblings<ParseBlob>, BlobSeeds},
  };
  return targets;
}

const FuzzTarget& FuzzTargetNamed(std::string_view name) {
  for (const FuzzTarget& target : FuzzTargets()) {
    if (target.name == name) return target;
  }
  PLIMSOLL_CHECK(false, "every fuzzer has a target of its name");
  return FuzzTargets().front();
}

}  // namespace plimsoll::weights
