#include "scenarios/zoo/model_info.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

namespace plimsoll {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// What the walk over the file's fields collects.
struct Found {
  int64_t file_bytes = 0;
  std::vector<ModelInput> inputs;
  std::set<std::string> initializers;
  bool graph = false;
};

// Calls `visit` with the field number of each length-delimited field, the stream's
// limit set to that field; skips what `visit` leaves and every other field.
template <typename Visit>
bool WalkFields(CodedInputStream& in, int64_t file_bytes, Visit visit) {
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    uint32_t length = 0;
    if (!in.ReadVarint32(&length) || length > INT32_MAX) return false;
    // Skipping seeks, which does not notice the end of a truncated file.
    if (in.CurrentPosition() + int64_t{length} > file_bytes) return false;
    const CodedInputStream::Limit limit = in.PushLimit(static_cast<int>(length));
    if (!visit(WireFormatLite::GetTagFieldNumber(tag))) return false;
    const int left = in.BytesUntilLimit();
    if (left > 0 && !in.Skip(left)) return false;
    in.PopLimit(limit);
  }
  return in.ConsumedEntireMessage();
}

bool ReadRest(CodedInputStream& in, std::string* text) {
  return in.ReadString(text, in.BytesUntilLimit());
}

bool VisitInitializer(CodedInputStream& in, Found& found) {
  return WalkFields(in, found.file_bytes, [&](int field) {
    if (field != onnx::TensorProto::kNameFieldNumber) return true;
    std::string name;
    if (!ReadRest(in, &name)) return false;
    found.initializers.insert(name);
    return true;
  });
}

bool VisitInput(CodedInputStream& in, Found& found) {
  std::string bytes;
  onnx::ValueInfoProto info;
  if (!ReadRest(in, &bytes) || !info.ParseFromString(bytes)) return false;
  ModelInput input{info.name(), {}};
  for (const auto& dim : info.type().tensor_type().shape().dim()) {
    input.dims.push_back(dim.has_dim_value() ? dim.dim_value() : 0);
  }
  found.inputs.push_back(std::move(input));
  return true;
}

bool WalkModel(CodedInputStream& in, Found& found) {
  return WalkFields(in, found.file_bytes, [&](int field) {
    if (field != onnx::ModelProto::kGraphFieldNumber) return true;
    found.graph = true;
    return WalkFields(in, found.file_bytes, [&](int part) {
      if (part == onnx::GraphProto::kInitializerFieldNumber) return VisitInitializer(in, found);
      if (part == onnx::GraphProto::kInputFieldNumber) return VisitInput(in, found);
      return true;
    });
  });
}

}  // namespace

Expected<std::vector<ModelInput>> ReadModelInputs(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return SystemError(path, "open the model", errno);
  struct stat status;
  if (fstat(descriptor, &status) != 0) {
    const int problem = errno;
    close(descriptor);
    return SystemError(path, "stat", problem);
  }
  Found found;
  found.file_bytes = status.st_size;
  bool walked = false;
  int read_error = 0;
  {
    // Small blocks: what is skipped is seeked over, not read.
    google::protobuf::io::FileInputStream file(descriptor, 4096);
    CodedInputStream in(&file);
    walked = WalkModel(in, found);
    read_error = file.GetErrno();
  }
  close(descriptor);
  if (read_error != 0) return SystemError(path, "read the model", read_error);
  if (!walked || !found.graph) return Fail(path + ": not an ONNX model");
  std::erase_if(found.inputs,
                [&](const ModelInput& input) { return found.initializers.contains(input.name); });
  if (found.inputs.empty()) return Fail(path + ": the model has no input");
  return std::move(found.inputs);
}

}  // namespace plimsoll
