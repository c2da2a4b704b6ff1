#include "tools/weights_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/loader.h"
#include "allocators/mmap_loader/write/blob_writer.h"
#include "allocators/mmap_loader/write/safetensors_writer.h"
#include "base/units.h"
#include "scenarios/zoo/zoo.h"
#include "tools/exit_status.h"

namespace plimsoll {
namespace {

using weights::Directory;
using weights::LoadOptions;
using weights::TensorInfo;
using weights::Weights;

int Refuse(const Error& error) {
  std::fprintf(stderr, "plimsoll: %s\n", error.message.c_str());
  return kExitBadRequest;
}

std::string Bytes(uint64_t bytes) { return FormatBytes(static_cast<double>(bytes)); }

// How every subcommand opens what it reads.
struct Source {
  std::string format;
  std::string loader = "auto";

  void AddTo(CLI::App& command) {
    command.add_option("--format", format,
                       "safetensors, onnx, openvino, gguf or blob; by name and first bytes "
                       "when not given");
    command.add_option("--loader", loader, "auto, mmap, private, read or direct")
        ->capture_default_str();
  }

  Expected<LoadOptions> Options() const {
    LoadOptions options{.guard = true};
    const Expected<weights::Mode> mode = weights::ModeNamed(loader);
    if (!mode) return tl::unexpected(mode.error());
    options.mode = *mode;
    if (format.empty()) return options;
    options.format = weights::FormatNamed(format);
    if (!options.format) {
      return BadValue("", "--format", format,
                      "expected one of safetensors, onnx, openvino, gguf, blob");
    }
    return options;
  }
};

// A zoo model is written to its cache first.
Expected<Weights> Open(const std::string& spec, const Source& source) {
  const Expected<LoadOptions> options = source.Options();
  if (!options) return tl::unexpected(options.error());
  const bool zoo = std::string_view(spec).starts_with("zoo:");
  const Expected<std::string> path = zoo ? ModelPath(spec) : Expected<std::string>(spec);
  if (!path) return tl::unexpected(path.error());
  return weights::Loader::OfProcess().Open(*path, *options);
}

std::string FileOf(const Directory& directory, const TensorInfo& info) {
  return info.file == weights::kInline ? "(inline)" : directory.files()[info.file].path;
}

void PrintText(const Weights& open) {
  const Directory& directory = open.directory();
  std::printf("%s: %s, %zu tensors, %s\n", directory.path().c_str(),
              weights::FormatName(directory.format()), directory.size(),
              Bytes(directory.tensor_bytes()).c_str());
  std::printf("  loader    %s\n", open.report().reason.c_str());
  for (const std::string& note : open.report().notes) std::printf("  note      %s\n", note.c_str());
  for (const weights::DataFile& file : directory.files()) {
    std::printf("  file      %s, %s\n", file.path.c_str(), Bytes(file.bytes).c_str());
  }
  for (const auto& [key, value] : directory.metadata()) {
    std::printf("  metadata  %s = %s\n", weights::Printable(key).c_str(),
                weights::Printable(value).c_str());
  }
  size_t width = 0;
  for (size_t i = 0; i < directory.size(); ++i) {
    width = std::max(width, weights::Printable(directory.at(i).name).size());
  }
  for (size_t i = 0; i < directory.size(); ++i) {
    const TensorInfo info = directory.at(i);
    std::printf("  %-*s  %-8s %-20s %12s  at %llu%s%s\n", static_cast<int>(width),
                weights::Printable(info.name).c_str(),
                std::string(weights::InfoOf(info.dtype).name).c_str(),
                weights::ShapeText(info.shape).c_str(), Bytes(info.bytes).c_str(),
                static_cast<unsigned long long>(info.offset),
                directory.files().size() > 1 || info.file == weights::kInline
                    ? (" of " + FileOf(directory, info)).c_str()
                    : "",
                info.checksum ? (" xxh3 " + weights::ChecksumText(*info.checksum)).c_str() : "");
  }
}

void PrintJson(const Weights& open) {
  const Directory& directory = open.directory();
  nlohmann::ordered_json out = {{"path", directory.path()},
                                {"format", weights::FormatName(directory.format())},
                                {"tensor_bytes", directory.tensor_bytes()},
                                {"loader", weights::ModeName(open.report().mode)},
                                {"reason", open.report().reason},
                                {"notes", open.report().notes}};
  out["files"] = nlohmann::json::array();
  for (const weights::DataFile& file : directory.files()) {
    out["files"].push_back({{"path", file.path}, {"bytes", file.bytes}});
  }
  out["metadata"] = nlohmann::json::array();
  for (const auto& [key, value] : directory.metadata()) {
    out["metadata"].push_back({{"key", key}, {"value", value}});
  }
  out["tensors"] = nlohmann::json::array();
  for (size_t i = 0; i < directory.size(); ++i) {
    const TensorInfo info = directory.at(i);
    nlohmann::ordered_json tensor = {{"name", info.name},
                                     {"dtype", weights::InfoOf(info.dtype).name},
                                     {"shape", std::vector(info.shape.begin(), info.shape.end())},
                                     {"file", nullptr},
                                     {"offset", info.offset},
                                     {"bytes", info.bytes},
                                     {"xxh3", nullptr}};
    if (info.file != weights::kInline) tensor["file"] = info.file;
    if (info.checksum) tensor["xxh3"] = weights::ChecksumText(*info.checksum);
    out["tensors"].push_back(std::move(tensor));
  }
  // Names need not be UTF-8 in every format; JSON must be.
  std::printf("%s\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

struct Inspect {
  std::string path;
  Source source;
  bool json = false;

  int Run() const {
    const Expected<Weights> open = Open(path, source);
    if (!open) return Refuse(open.error());
    json ? PrintJson(*open) : PrintText(*open);
    return kExitHolds;
  }
};

// Every byte of one file, and its checksums.
Status VerifyTensors(const Weights& open, size_t& checksums) {
  const Directory& directory = open.directory();
  for (size_t i = 0; i < directory.size(); ++i) {
    const Expected<weights::Tensor> tensor = open.Acquire(i);
    if (!tensor) return tl::unexpected(tensor.error());
    const bool has_checksum = tensor->info().checksum.has_value();
    checksums += has_checksum;
    // Without a checksum to compare, reading still shows what cannot be read.
    const Status whole =
        has_checksum ? tensor->Verify() : tensor->Read([](std::span<const std::byte> bytes) {
          (void)weights::ChecksumOf(bytes);
        });
    if (!whole) return whole;
  }
  return open.Revalidate();
}

struct Verify {
  std::vector<std::string> paths;
  Source source;

  int Run() const {
    if (const auto options = source.Options(); !options) return Refuse(options.error());
    int status = kExitHolds;
    for (const std::string& path : paths) {
      if (!std::string_view(path).starts_with("zoo:") && access(path.c_str(), R_OK) != 0) {
        status = Refuse(SystemError(path, "open", errno).value());
        continue;
      }
      size_t checksums = 0;
      const Expected<Weights> open = Open(path, source);
      const Status whole = open ? VerifyTensors(*open, checksums) : tl::unexpected(open.error());
      if (whole) {
        std::printf("%s: whole: %zu tensors, %s, %zu of them compared with a checksum\n",
                    path.c_str(), open->directory().size(),
                    Bytes(open->directory().tensor_bytes()).c_str(), checksums);
      } else {
        std::printf("%s: damaged: %s\n", path.c_str(), whole.error().message.c_str());
        // A wrong request outranks what the right ones found.
        if (status == kExitHolds) status = kExitLeaks;
      }
    }
    return status;
  }
};

struct Convert {
  std::string from;
  std::string to;
  Source source;
  bool checksums = false;
  std::string shard_size;
  std::string alignment = "64 B";

  int Run() const {
    const Expected<uint64_t> shard_bytes =
        shard_size.empty() ? Expected<uint64_t>(UINT64_MAX) : ParseBytes(shard_size);
    if (!shard_bytes) return Refuse({"--shard-size: " + shard_bytes.error().message});
    const Expected<uint64_t> alignment_bytes = ParseBytes(alignment);
    if (!alignment_bytes) return Refuse({"--alignment: " + alignment_bytes.error().message});
    const Expected<Weights> open = Open(from, source);
    if (!open) return Refuse(open.error());
    const std::vector<weights::TensorToWrite> tensors = weights::TensorsOf(*open);
    weights::Os& os = weights::Os::Real();
    Expected<std::string> written = to;
    if (to.ends_with(".blob.json")) {
      const Status done = weights::WriteBlob(os, to, tensors,
                                             {.metadata = MetadataOf(open->directory()),
                                              .checksums = checksums,
                                              .alignment = *alignment_bytes});
      if (!done) written = tl::unexpected(done.error());
    } else if (to.ends_with(".safetensors")) {
      written = weights::WriteSafetensors(os, to, tensors,
                                          {.metadata = MetadataOf(open->directory()),
                                           .checksums = checksums,
                                           .shard_bytes = *shard_bytes});
    } else {
      written =
          BadValue("", "output", to, "expected a name that ends in .safetensors or .blob.json");
    }
    if (!written) return Refuse(written.error());
    std::printf("%s: %zu tensors, %s\n", written->c_str(), tensors.size(),
                Bytes(open->directory().tensor_bytes()).c_str());
    return kExitHolds;
  }

  // A key that comes twice, as with ONNX's string tensors, keeps its first value.
  static weights::Metadata MetadataOf(const Directory& directory) {
    weights::Metadata metadata;
    std::set<std::string_view> seen;
    for (const auto& pair : directory.metadata()) {
      if (seen.insert(pair.first).second) metadata.push_back(pair);
    }
    return metadata;
  }
};

}  // namespace

void AddWeightsCommand(CLI::App& app, int& status) {
  CLI::App* const command = app.add_subcommand(
      "weights",
      "Weight files (safetensors, ONNX, OpenVINO IR, GGUF, blobs): what is in them,\n"
      "whether they are whole, and the same tensors in another format.");
  command->require_subcommand(1);
  command->footer(
      "Exit status: 0 done, and what was verified is whole; 1 a verified file is damaged; 2 the\n"
      "request is wrong, such as a file that is not there.");

  const auto inspect = std::make_shared<Inspect>();
  CLI::App* const inspect_command =
      command->add_subcommand("inspect", "Print the tensors of a file: name, type, shape, place");
  inspect_command->add_option("FILE", inspect->path, "a weight file, or zoo:NAME")->required();
  inspect_command->add_flag("--json", inspect->json, "as JSON");
  inspect->source.AddTo(*inspect_command);
  inspect_command->callback([inspect, &status] { status = inspect->Run(); });

  const auto verify = std::make_shared<Verify>();
  CLI::App* const verify_command = command->add_subcommand(
      "verify",
      "Check files: the format's rules, every byte readable, checksums where given.\n"
      "Exit status 1 when one is damaged.");
  verify_command->add_option("FILE", verify->paths, "weight files, or zoo:NAME")->required();
  verify->source.AddTo(*verify_command);
  verify_command->callback([verify, &status] { status = verify->Run(); });

  const auto convert = std::make_shared<Convert>();
  CLI::App* const convert_command = command->add_subcommand(
      "convert",
      "Write the tensors of a file to safetensors or a blob, one tensor in memory\n"
      "at a time; an old output is replaced all at once");
  convert_command->add_option("FROM", convert->from, "a weight file, or zoo:NAME")->required();
  convert_command->add_option("TO", convert->to, "NAME.safetensors or NAME.blob.json")->required();
  convert_command->add_flag("--checksums", convert->checksums, "add the XXH3-64 of each tensor");
  convert_command->add_option("--shard-size", convert->shard_size,
                              "safetensors: begin a new file after so much, such as '2 GiB'");
  convert_command->add_option("--alignment", convert->alignment, "blobs: where each tensor starts")
      ->capture_default_str();
  convert->source.AddTo(*convert_command);
  convert_command->callback([convert, &status] { status = convert->Run(); });
}

}  // namespace plimsoll
