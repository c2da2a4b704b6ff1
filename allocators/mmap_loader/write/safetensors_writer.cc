#include "allocators/mmap_loader/write/safetensors_writer.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/formats/safetensors.h"
#include "allocators/mmap_loader/write/output_file.h"

namespace plimsoll::weights {
namespace {

constexpr std::string_view kEnding = ".safetensors";
// The data starts at a multiple of this, so that every dtype is aligned.
constexpr uint64_t kHeaderAlignment = 64;
constexpr size_t kLengthBytes = 8;

struct Planned {
  const TensorToWrite* tensor;
  uint64_t bytes;
  std::string quoted_name;
};

using Shard = std::vector<Planned>;

// Checks every tensor, and puts the widest elements first.
Expected<std::vector<Planned>> Plan(const std::string& path,
                                    const std::vector<TensorToWrite>& tensors) {
  std::vector<Planned> plan;
  std::set<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) {
    const DTypeInfo& info = InfoOf(tensor.dtype);
    if (!info.in_safetensors) {
      return BadValue(path, TensorField(tensor.name, "dtype").Text(), info.name,
                      "expected one of " + SafetensorsNames() + "; format blob takes any");
    }
    if (tensor.name.empty() || tensor.name == "__metadata__" || !names.insert(tensor.name).second) {
      return BadValue(path, "tensor name", Printable(tensor.name),
                      "expected a name that is not empty, not '__metadata__' and no duplicate");
    }
    const Expected<uint64_t> bytes = SizeToWrite(path, tensor);
    if (!bytes) return tl::unexpected(bytes.error());
    if (*BitCount(tensor.dtype, tensor.shape) % 8 != 0) {
      return BadValue(path, TensorField(tensor.name, "shape").Text(), ShapeText(tensor.shape),
                      "expected whole bytes of " + std::string(info.name));
    }
    Expected<std::string> name = JsonString(path, "tensor name", tensor.name);
    if (!name) return tl::unexpected(name.error());
    plan.push_back({&tensor, *bytes, std::move(*name)});
  }
  std::stable_sort(plan.begin(), plan.end(), [](const Planned& a, const Planned& b) {
    return InfoOf(a.tensor->dtype).block_bits > InfoOf(b.tensor->dtype).block_bits;
  });
  return plan;
}

std::vector<Shard> Divide(std::vector<Planned> plan, uint64_t shard_bytes) {
  std::vector<Shard> shards(1);
  uint64_t bytes = 0;
  for (Planned& planned : plan) {
    if (!shards.back().empty() && (bytes > shard_bytes || planned.bytes > shard_bytes - bytes)) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += planned.bytes;
    shards.back().push_back(std::move(planned));
  }
  return shards;
}

std::string LengthBytes(uint64_t length) {
  std::string bytes(kLengthBytes, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(length & 0xff);
    length >>= 8;
  }
  return bytes;
}

class ShardWriter {
 public:
  ShardWriter(Os& os, std::string path, const Shard& shard, const SafetensorsOptions& options)
      : os_(os), path_(std::move(path)), shard_(shard), options_(options) {}

  Status Write() {
    Expected<std::string> header = Header();
    if (!header) return tl::unexpected(header.error());
    if (header->size() > kSafetensorsLongestHeader) {
      return BadValue(path_, "header length in bytes", std::to_string(header->size()),
                      "expected at most " + std::to_string(kSafetensorsLongestHeader));
    }
    Expected<std::unique_ptr<OutputFile>> file = OutputFile::Create(os_, path_);
    if (!file) return tl::unexpected(file.error());
    OutputFile& out = **file;
    Status done = out.Append(LengthBytes(header->size()));
    if (done) done = out.Append(*header);
    for (size_t i = 0; done && i < shard_.size(); ++i) done = WriteTensor(out, i);
    return done ? out.Commit() : done;
  }

 private:
  // With zeros for the checksums, whose places are remembered.
  Expected<std::string> Header() {
    std::string text = "{";
    const std::string metadata_begin = "\"__metadata__\":{";
    text += metadata_begin;
    const Expected<std::vector<std::string>> members =
        MetadataMembers(path_, options_.metadata, kSafetensorsChecksumKey);
    if (!members) return tl::unexpected(members.error());
    for (const std::string& member : *members) {
      Separate(text);
      text += member;
    }
    for (const Planned& planned : shard_) {
      if (!options_.checksums) break;
      Separate(text);
      text += "\"" + std::string(kSafetensorsChecksumKey) + planned.quoted_name.substr(1) + ":\"";
      checksum_places_.push_back(kLengthBytes + text.size());
      text += ChecksumText(0) + "\"";
    }
    text += "}";
    if (text.size() == 1 + metadata_begin.size() + 1) text = "{";  // Nothing in it.
    uint64_t offset = 0;
    for (const Planned& planned : shard_) {
      Separate(text);
      std::string shape = ShapeText(planned.tensor->shape);
      std::erase(shape, ' ');
      text += planned.quoted_name + ":{\"dtype\":\"";
      text += InfoOf(planned.tensor->dtype).name;
      text += "\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(offset) + "," +
              std::to_string(offset + planned.bytes) + "]}";
      offset += planned.bytes;
    }
    text += "}";
    while ((kLengthBytes + text.size()) % kHeaderAlignment != 0) text += ' ';
    return text;
  }

  static void Separate(std::string& text) {
    if (text.back() != '{') text += ',';
  }

  Status WriteTensor(OutputFile& out, size_t index) {
    const Planned& planned = shard_[index];
    const Expected<uint64_t> checksum =
        PassOn(path_, *planned.tensor, planned.bytes,
               [&](std::span<const std::byte> bytes) { return out.Append(bytes); });
    if (!checksum) return tl::unexpected(checksum.error());
    if (!options_.checksums) return {};
    return out.Overwrite(checksum_places_[index], ChecksumText(*checksum));
  }

  Os& os_;
  const std::string path_;
  const Shard& shard_;
  const SafetensorsOptions& options_;
  std::vector<uint64_t> checksum_places_;
};

std::string ShardPath(const std::string& stem, size_t index, size_t count) {
  char numbers[64];
  std::snprintf(numbers, sizeof(numbers), "-%05zu-of-%05zu", index + 1, count);
  return stem + numbers + std::string(kEnding);
}

Status WriteIndex(Os& os, const std::string& path, const std::string& stem,
                  const std::vector<Shard>& shards) {
  uint64_t total = 0;
  std::string map;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        std::filesystem::path(ShardPath(stem, i, shards.size())).filename().string();
    const Expected<std::string> quoted = JsonString(path, "file name", name);
    if (!quoted) return tl::unexpected(quoted.error());
    for (const Planned& planned : shards[i]) {
      if (!map.empty()) map += ",";
      map += "\n  " + planned.quoted_name + ": " + *quoted;
      total += planned.bytes;
    }
  }
  Expected<std::unique_ptr<OutputFile>> file = OutputFile::Create(os, path);
  if (!file) return tl::unexpected(file.error());
  const Status written =
      (*file)->Append("{\"metadata\": {\"total_size\": " + std::to_string(total) +
                      "},\n \"weight_map\": {" + map + "}}\n");
  return written ? (*file)->Commit() : written;
}

}  // namespace

Expected<std::string> WriteSafetensors(Os& os, const std::string& path,
                                       const std::vector<TensorToWrite>& tensors,
                                       const SafetensorsOptions& options) {
  if (!path.ends_with(kEnding)) {
    return BadValue(path, "file name", Printable(path), "expected one that ends in .safetensors");
  }
  Expected<std::vector<Planned>> plan = Plan(path, tensors);
  if (!plan) return tl::unexpected(plan.error());
  const std::vector<Shard> shards = Divide(std::move(*plan), options.shard_bytes);
  const std::string stem = path.substr(0, path.size() - kEnding.size());
  if (shards.size() == 1) {
    const Status written = ShardWriter(os, path, shards[0], options).Write();
    if (!written) return tl::unexpected(written.error());
    return path;
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string shard_path = ShardPath(stem, i, shards.size());
    const Status written = ShardWriter(os, shard_path, shards[i], options).Write();
    if (!written) return tl::unexpected(written.error());
  }
  const std::string index = path + ".index.json";
  const Status written = WriteIndex(os, index, stem, shards);
  if (!written) return tl::unexpected(written.error());
  return index;
}

}  // namespace plimsoll::weights
