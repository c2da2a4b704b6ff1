#include "scenarios/launch/weight_files.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <thread>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/loader.h"
#include "allocators/mmap_loader/write/blob_writer.h"
#include "allocators/mmap_loader/write/safetensors_writer.h"
#include "base/file.h"
#include "harness/runner/child_process.h"
#include "scenarios/zoo/cache.h"

namespace plimsoll {
namespace {

using nlohmann::json;

constexpr std::chrono::minutes kExportLimit{10};
// What a change of the file names' meaning raises.
constexpr char kVersion[] = "w1";

std::string Ending(const std::string& format) {
  return format == "blob" ? ".blob.json" : ".safetensors";
}

// A name in the cache that another `key` does not have.
Expected<std::string> CachePath(const std::string& stem, const std::string& key,
                                const std::string& format) {
  const Expected<std::string> folder = CacheFolder();
  if (!folder) return folder;
  const std::string text = std::string(kVersion) + key;
  const uint64_t hash = weights::ChecksumOf(std::as_bytes(std::span(text)));
  return *folder + "/" + stem + "-" + weights::ChecksumText(hash) + Ending(format);
}

bool Exists(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

Expected<std::string> ConvertedModel(const std::string& model, const std::string& format) {
  struct stat status;
  if (stat(model.c_str(), &status) != 0) return SystemError(model, "open", errno);
  const std::string key = model + "|" + std::to_string(status.st_size) + "|" +
                          std::to_string(status.st_mtim.tv_sec) + "." +
                          std::to_string(status.st_mtim.tv_nsec);
  const Expected<std::string> path =
      CachePath(std::filesystem::path(model).stem().string(), key, format);
  if (!path || Exists(*path)) return path;
  const auto open = weights::Loader::OfProcess().Open(model, {.format = weights::Format::kOnnx});
  if (!open) return tl::unexpected(open.error());
  const auto tensors = weights::TensorsOf(*open);
  weights::Os& os = weights::Os::Real();
  if (format == "blob") {
    const Status written = WriteBlob(os, *path, tensors, {});
    if (!written) return tl::unexpected(written.error());
    return path;
  }
  return WriteSafetensors(os, *path, tensors, {});
}

// Everything that the child prints, until it ends or its time is up.
std::string OutputOf(ChildProcess& child, std::optional<ExitStatus>& status) {
  std::string output;
  const auto deadline = std::chrono::steady_clock::now() + kExportLimit;
  char buffer[4096];
  while (std::chrono::steady_clock::now() < deadline) {
    status = child.Poll();
    struct pollfd wait = {child.output_fd(), POLLIN, 0};
    poll(&wait, 1, status ? 0 : 50);
    ssize_t got = 0;
    while ((got = read(child.output_fd(), buffer, sizeof(buffer))) > 0) {
      output.append(buffer, static_cast<size_t>(got));
    }
    if (status) break;
    // At the end of the output poll no longer waits.
    if (got == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return output;
}

Expected<std::string> ExportedModel(const json& config, const std::string& format,
                                    const std::string& engine_path) {
  // Of the knobs, only these shape the weights.
  json knobs = json::object();
  for (const char* knob : {"stage_blocks", "width", "depth", "heads", "classes", "size", "seed"}) {
    if (config.contains("knobs") && config["knobs"].contains(knob)) {
      knobs[knob] = config["knobs"][knob];
    }
  }
  const json& models = config["model"];
  const std::string model = (models.is_array() ? models.at(0) : models).get<std::string>();
  const Expected<std::string> path = CachePath("torch-" + model, model + knobs.dump(), format);
  if (!path || Exists(*path)) return path;
  const json exporter = {{"engine", "torch"},
                         {"model", model},
                         {"knobs", knobs},
                         {"setup", {"build"}},
                         {"iteration", {{{"export", *path}}}}};
  const std::string config_path = *path + "." + std::to_string(getpid()) + ".json";
  if (const Status written = WriteFile(config_path, exporter.dump()); !written) {
    return tl::unexpected(written.error());
  }
  std::optional<ExitStatus> status;
  std::string output;
  ProcessOptions process;
  process.command = {engine_path, config_path};
  Expected<ChildProcess> child = ChildProcess::Start(process);
  if (child) output = OutputOf(*child, status);
  std::filesystem::remove(config_path);
  if (!child) return tl::unexpected(child.error());
  if (!status) return Fail(*path + ": " + engine_path + " took more than 10 minutes to write it");
  if (status->code != 0) {
    return Fail(*path + ": " + engine_path + ": " + Describe(*status) + ": " +
                output.substr(0, output.find('\n')));
  }
  return path;
}

}  // namespace

Expected<std::string> ResolveWeights(const std::string& config_json, const std::string& engine_path,
                                     const std::string& where) {
  json config = json::parse(config_json);
  if (!config.contains("weights")) return config_json;
  const bool torch = config["engine"] == "torch";
  const std::string format = config["weights"].value("format", torch ? "safetensors" : "onnx");
  json files = json::array();
  if (torch) {
    const Expected<std::string> file = ExportedModel(config, format, engine_path);
    if (!file) return Fail(where + ": weights: " + file.error().message);
    files.push_back(*file);
  } else {
    const json& models = config["model"];
    for (const json& model : models.is_array() ? models : json::array({models})) {
      const auto path = model.get<std::string>();
      const Expected<std::string> file = format == "onnx" ? path : ConvertedModel(path, format);
      if (!file) return Fail(where + ": weights: " + file.error().message);
      files.push_back(*file);
    }
  }
  config["weights"]["format"] = format;
  config["weights"]["files"] = files;
  return config.dump();
}

}  // namespace plimsoll
