#include "scenarios/zoo/zoo.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "scenarios/zoo/cache.h"
#include "scenarios/zoo/models.h"

namespace plimsoll {
namespace {

constexpr std::string_view kPrefix = "zoo:";

const ZooModel* Find(std::string_view name) {
  for (const ZooModel& model : ZooModels()) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

std::string AllowedNames() {
  std::string allowed = "expected one of ";
  std::string_view separator;
  for (const ZooModel& model : ZooModels()) {
    allowed += separator;
    allowed += kPrefix;
    allowed += model.name;
    separator = ", ";
  }
  return allowed;
}

bool IsCached(const std::string& path, uint64_t bytes) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<uint64_t>(status.st_size) == bytes && access(path.c_str(), R_OK) == 0;
}

int WriteModel(const onnx::ModelProto& proto, int descriptor) {
  google::protobuf::io::FileOutputStream stream(descriptor, 1 << 20);
  const bool written = proto.SerializeToZeroCopyStream(&stream) && stream.Flush();
  return written ? 0 : (stream.GetErrno() != 0 ? stream.GetErrno() : EIO);
}

Expected<std::string> ZooPath(std::string_view name) {
  const ZooModel* model = Find(name);
  if (model == nullptr) {
    return BadValue("", "model", std::string(kPrefix) + std::string(name), AllowedNames());
  }
  const Expected<std::string> folder = CacheFolder();
  if (!folder) return folder;
  const std::string file = std::string(name) + "-" + std::string(kZooVersion) + ".onnx";
  const std::string path = *folder + "/" + file;
  if (IsCached(path, model->file_bytes)) return path;
  const onnx::ModelProto proto = model->build();
  const Status published =
      Publish(*folder, file, [&proto](int descriptor) { return WriteModel(proto, descriptor); });
  if (!published) return tl::unexpected(published.error());
  return path;
}

}  // namespace

Expected<std::string> ModelPath(std::string_view spec) {
  if (spec.starts_with(kPrefix)) return ZooPath(spec.substr(kPrefix.size()));
  const std::string path(spec);
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return SystemError(path, "open the model", errno);
  if (!S_ISREG(status.st_mode)) {
    return BadValue("", "model", path, "expected an .onnx file or " + AllowedNames().substr(9));
  }
  if (access(path.c_str(), R_OK) != 0) return SystemError(path, "open the model", errno);
  return path;
}

}  // namespace plimsoll
