#include "allocators/mmap_loader/write/blob_writer.h"

#include <bit>
#include <filesystem>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/formats/blob.h"
#include "allocators/mmap_loader/write/output_file.h"

namespace plimsoll::weights {
namespace {

constexpr std::string_view kIndexEnding = ".json";
constexpr std::string_view kEnding = ".blob.json";

class BlobWriter {
 public:
  BlobWriter(Os& os, std::string path, const BlobOptions& options)
      : os_(os),
        path_(std::move(path)),
        data_path_(path_.substr(0, path_.size() - kIndexEnding.size())),
        options_(options) {}

  Status Write(const std::vector<TensorToWrite>& tensors) {
    Expected<std::unique_ptr<OutputFile>> data = OutputFile::Create(os_, data_path_);
    if (!data) return tl::unexpected(data.error());
    for (const TensorToWrite& tensor : tensors) {
      if (Status written = WriteTensor(**data, tensor); !written) return written;
    }
    // A file without a byte could not be opened.
    if (Status padded = PadEmpty(**data); !padded) return padded;
    const uint64_t bytes = (*data)->size();
    const Expected<std::string> index = Index(bytes);
    if (!index) return tl::unexpected(index.error());
    if (Status committed = (*data)->Commit(); !committed) return committed;
    Expected<std::unique_ptr<OutputFile>> out = OutputFile::Create(os_, path_);
    if (!out) return tl::unexpected(out.error());
    const Status written = (*out)->Append(*index);
    return written ? (*out)->Commit() : written;
  }

 private:
  static Status PadEmpty(OutputFile& data) {
    return data.size() == 0 ? data.Append(std::string_view("\0", 1)) : Status();
  }

  Status WriteTensor(OutputFile& data, const TensorToWrite& tensor) {
    if (tensor.name.empty() || !names_.insert(tensor.name).second) {
      return BadValue(path_, "tensor name", Printable(tensor.name),
                      "expected a name that is not empty and no duplicate");
    }
    const Expected<std::string> name = JsonString(path_, "tensor name", tensor.name);
    if (!name) return tl::unexpected(name.error());
    const Expected<uint64_t> bytes = SizeToWrite(path_, tensor);
    if (!bytes) return tl::unexpected(bytes.error());
    if (Status padded = data.Pad(options_.alignment); !padded) return padded;
    const uint64_t offset = data.size();
    const Expected<uint64_t> checksum =
        PassOn(path_, tensor, *bytes,
               [&](std::span<const std::byte> piece) { return data.Append(piece); });
    if (!checksum) return tl::unexpected(checksum.error());
    if (!entries_.empty()) entries_ += ",";
    entries_ += "\n  {\"name\": " + *name + ", \"dtype\": \"" +
                std::string(InfoOf(tensor.dtype).name) +
                "\", \"shape\": " + ShapeText(tensor.shape) +
                ", \"file\": 0, \"offset\": " + std::to_string(offset) +
                ", \"bytes\": " + std::to_string(*bytes);
    if (options_.checksums) entries_ += ", \"xxh3\": \"" + ChecksumText(*checksum) + "\"";
    entries_ += "}";
    return {};
  }

  Expected<std::string> Index(uint64_t bytes) const {
    const Expected<std::vector<std::string>> members =
        MetadataMembers(path_, options_.metadata, "");
    if (!members) return tl::unexpected(members.error());
    std::string metadata;
    for (const std::string& member : *members) metadata += (metadata.empty() ? "" : ", ") + member;
    const Expected<std::string> name =
        JsonString(path_, "file name", std::filesystem::path(data_path_).filename().string());
    if (!name) return tl::unexpected(name.error());
    return "{\"format\": \"" + std::string(kBlobFormat) +
           "\", \"version\": " + std::to_string(kBlobVersion) +
           ", \"byte_order\": \"little\", \"alignment\": " + std::to_string(options_.alignment) +
           ",\n \"metadata\": {" + metadata + "},\n \"files\": [{\"path\": " + *name +
           ", \"bytes\": " + std::to_string(bytes) + "}],\n \"tensors\": [" + entries_ + "]}\n";
  }

  Os& os_;
  const std::string path_;
  const std::string data_path_;
  const BlobOptions& options_;
  std::set<std::string> names_;
  std::string entries_;
};

}  // namespace

Status WriteBlob(Os& os, const std::string& path, const std::vector<TensorToWrite>& tensors,
                 const BlobOptions& options) {
  if (!path.ends_with(kEnding)) {
    return BadValue(path, "file name", Printable(path), "expected one that ends in .blob.json");
  }
  if (!std::has_single_bit(options.alignment) || options.alignment > kBlobLargestAlignment) {
    return BadValue(path, "alignment", std::to_string(options.alignment),
                    "expected a power of two up to " + std::to_string(kBlobLargestAlignment));
  }
  return BlobWriter(os, path, options).Write(tensors);
}

}  // namespace plimsoll::weights
