#include "scenarios/engines/opencv/loaded_model.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>

#include <cerrno>
#include <climits>
#include <fstream>
#include <utility>

namespace plimsoll {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t Tag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

// Of a length-delimited field with `bytes` bytes in it.
uint64_t FieldSize(int field, uint64_t bytes) {
  return CodedOutputStream::VarintSize32(Tag(field)) + CodedOutputStream::VarintSize64(bytes) +
         bytes;
}

// Writes where the next bytes go, all of which are there already.
uint8_t* BeginField(int field, uint64_t bytes, uint8_t* to) {
  to = CodedOutputStream::WriteVarint32ToArray(Tag(field), to);
  return CodedOutputStream::WriteVarint64ToArray(bytes, to);
}

// Strings and numbers that protobuf keeps as varints stay in the model.
bool StaysInModel(const onnx::TensorProto& tensor) {
  return tensor.data_type() == onnx::TensorProto::STRING || tensor.int32_data_size() > 0 ||
         tensor.int64_data_size() > 0 || tensor.uint64_data_size() > 0;
}

Status CheckSame(const onnx::TensorProto& wanted, const weights::TensorInfo& found,
                 const std::string& path) {
  std::vector<uint64_t> dims(wanted.dims().begin(), wanted.dims().end());
  if (std::equal(dims.begin(), dims.end(), found.shape.begin(), found.shape.end())) return {};
  return BadValue(path, "tensor '" + wanted.name() + "': shape", weights::ShapeText(found.shape),
                  "expected " + weights::ShapeText(dims) + ", as in the model");
}

}  // namespace

Expected<LoadedModel> LoadedModel::Open(const std::string& model, const std::string& weights_file,
                                        const weights::LoadOptions& options) {
  LoadedModel loaded;
  loaded.weights_file_ = weights_file;
  loaded.options_ = options;
  const auto weights = weights::Loader::OfProcess().Open(weights_file, options);
  if (!weights) return tl::unexpected(weights.error());
  const weights::Directory& directory = weights->directory();
  loaded.report_ = weights->report();
  loaded.whole_file_ =
      directory.format() == weights::Format::kOnnx && directory.files().size() == 1;
  if (loaded.whole_file_) {
    loaded.tensors_ = directory.size();
    loaded.tensor_bytes_ = directory.tensor_bytes();
    return loaded;
  }
  if (const Status apart = loaded.TakeApart(model, *weights); !apart) {
    return tl::unexpected(apart.error());
  }
  return loaded;
}

Status LoadedModel::TakeApart(const std::string& model, const weights::Weights& weights) {
  onnx::ModelProto proto;
  std::ifstream file(model, std::ios::binary);
  if (!file) return SystemError(model, "open", errno);
  if (!proto.ParseFromIstream(&file)) return Fail(model + ": expected an ONNX ModelProto");
  google::protobuf::RepeatedPtrField<onnx::TensorProto> all;
  all.Swap(proto.mutable_graph()->mutable_initializer());
  for (onnx::TensorProto& tensor : all) {
    if (StaysInModel(tensor)) {
      proto.mutable_graph()->add_initializer()->Swap(&tensor);
      continue;
    }
    const Expected<size_t> index = weights.directory().Get(tensor.name());
    if (!index) return tl::unexpected(index.error());
    const weights::TensorInfo info = weights.directory().at(*index);
    if (const Status same = CheckSame(tensor, info, weights_file_); !same) return same;
    onnx::TensorProto header;
    header.set_name(tensor.name());
    header.set_data_type(tensor.data_type());
    *header.mutable_dims() = tensor.dims();
    headers_.push_back({tensor.name(), header.SerializeAsString(), info.bytes});
    ++tensors_;
    tensor_bytes_ += info.bytes;
  }
  skeleton_ = proto.SerializeAsString();
  return {};
}

// Fields of a message may stand anywhere, and two of one message are merged: the weights
// follow the skeleton as a second graph that has nothing but initializers.
Expected<std::string> LoadedModel::PutTogether(const weights::Weights& weights) const {
  constexpr int kGraph = onnx::ModelProto::kGraphFieldNumber;
  constexpr int kInitializer = onnx::GraphProto::kInitializerFieldNumber;
  constexpr int kRawData = onnx::TensorProto::kRawDataFieldNumber;
  const auto initializer_bytes = [](const Header& header) {
    return header.bytes.size() + FieldSize(kRawData, header.data_bytes);
  };
  uint64_t graph_bytes = 0;
  for (const Header& header : headers_) {
    graph_bytes += FieldSize(kInitializer, initializer_bytes(header));
  }
  const uint64_t total = skeleton_.size() + FieldSize(kGraph, graph_bytes);
  if (total > INT_MAX) {
    return BadValue(weights_file_, "model size in bytes", std::to_string(total),
                    "expected at most 2147483647, protobuf's limit");
  }
  std::string model(total, '\0');
  auto* to = reinterpret_cast<uint8_t*>(model.data());
  to = std::copy(skeleton_.begin(), skeleton_.end(), to);
  to = BeginField(kGraph, graph_bytes, to);
  for (const Header& header : headers_) {
    to = BeginField(kInitializer, initializer_bytes(header), to);
    to = std::copy(header.bytes.begin(), header.bytes.end(), to);
    to = BeginField(kRawData, header.data_bytes, to);
    const auto tensor = weights.Acquire(header.name);
    if (!tensor) return tl::unexpected(tensor.error());
    const std::span<uint8_t> data(to, header.data_bytes);
    if (const Status copied = tensor->CopyTo(std::as_writable_bytes(data)); !copied) {
      return tl::unexpected(copied.error());
    }
    to += header.data_bytes;
  }
  return model;
}

Status LoadedModel::Import(const std::function<void(std::span<const std::byte>)>& parse) const {
  const auto weights = weights::Loader::OfProcess().Open(weights_file_, options_);
  if (!weights) return tl::unexpected(weights.error());
  if (whole_file_) {
    const auto file = weights->AcquireFile(0);
    if (!file) return tl::unexpected(file.error());
    return file->Read(parse);
  }
  const Expected<std::string> model = PutTogether(*weights);
  if (!model) return tl::unexpected(model.error());
  parse(std::as_bytes(std::span(*model)));
  return {};
}

}  // namespace plimsoll
