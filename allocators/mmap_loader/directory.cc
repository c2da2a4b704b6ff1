#include "allocators/mmap_loader/directory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <numeric>

namespace plimsoll::weights {
namespace {

constexpr std::array<const char*, 5> kFormatNames = {"safetensors", "onnx", "openvino", "gguf",
                                                     "blob"};
// Inline data starts where any element type may.
constexpr size_t kInlineAlignment = 16;

std::string RangeText(uint64_t begin, uint64_t bytes) {
  return "[" + std::to_string(begin) + ", " + std::to_string(begin + bytes) + ")";
}

}  // namespace

const char* FormatName(Format format) { return kFormatNames[static_cast<size_t>(format)]; }

std::optional<Format> FormatNamed(std::string_view name) {
  for (size_t i = 0; i < kFormatNames.size(); ++i) {
    if (name == kFormatNames[i]) return static_cast<Format>(i);
  }
  return std::nullopt;
}

TensorInfo Directory::at(size_t index) const {
  const Record& record = records_[index];
  return {.name = NameOf(record),
          .dtype = record.dtype,
          .shape = std::span(shapes_).subspan(record.shape_begin, record.rank),
          .file = record.file,
          .offset = record.offset,
          .bytes = record.bytes,
          .checksum = checksums_.empty() ? std::nullopt : checksums_[index]};
}

size_t Directory::SlotOf(std::string_view name) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = std::hash<std::string_view>()(name) & mask;
  while (slots_[slot] != 0 && NameOf(records_[slots_[slot] - 1]) != name) slot = (slot + 1) & mask;
  return slot;
}

std::optional<size_t> Directory::Find(std::string_view name) const {
  const uint32_t entry = slots_[SlotOf(name)];
  if (entry == 0) return std::nullopt;
  return entry - 1;
}

Expected<size_t> Directory::Get(std::string_view name) const {
  if (const std::optional<size_t> index = Find(name)) return *index;
  std::string allowed = "expected one of its " + std::to_string(size()) + " tensors";
  if (size() > 0) allowed += ", such as '" + Printable(at(0).name) + "'";
  return BadValue(path_, "tensor name", Printable(name), allowed);
}

std::span<const std::byte> Directory::InlineBytes(const TensorInfo& info) const {
  return std::span(inline_).subspan(info.offset, info.bytes);
}

uint64_t Directory::tensor_bytes() const {
  uint64_t sum = 0;
  for (const Record& record : records_) sum += record.bytes;
  return sum;
}

uint64_t Directory::memory_bytes() const {
  uint64_t sum = records_.capacity() * sizeof(Record) + names_.capacity() +
                 shapes_.capacity() * sizeof(uint64_t) + slots_.capacity() * sizeof(uint32_t) +
                 inline_.capacity() + checksums_.capacity() * sizeof(checksums_[0]) +
                 path_.capacity() + files_.capacity() * sizeof(DataFile) +
                 metadata_.capacity() * sizeof(metadata_[0]);
  for (const DataFile& file : files_) sum += file.path.capacity();
  for (const auto& [key, value] : metadata_) sum += key.capacity() + value.capacity();
  return sum;
}

DirectoryBuilder::DirectoryBuilder(Format format, std::string path) {
  directory_.format_ = format;
  directory_.path_ = std::move(path);
  directory_.slots_.resize(16);
}

void DirectoryBuilder::Reserve(size_t tensors, size_t name_bytes) {
  directory_.records_.reserve(tensors);
  directory_.names_.reserve(name_bytes);
  size_t slots = directory_.slots_.size();
  while (slots < 2 * tensors) slots *= 2;
  if (directory_.size() == 0) directory_.slots_.resize(slots);
}

uint32_t DirectoryBuilder::AddFile(std::string path, uint64_t bytes) {
  directory_.files_.push_back({std::move(path), bytes});
  return static_cast<uint32_t>(directory_.files_.size() - 1);
}

void DirectoryBuilder::AddMetadata(std::string key, std::string value) {
  directory_.metadata_.emplace_back(std::move(key), std::move(value));
}

void DirectoryBuilder::Grow() {
  directory_.slots_.assign(2 * directory_.slots_.size(), 0);
  for (size_t i = 0; i < directory_.records_.size(); ++i) {
    const size_t slot = directory_.SlotOf(directory_.NameOf(directory_.records_[i]));
    directory_.slots_[slot] = static_cast<uint32_t>(i + 1);
  }
}

Status DirectoryBuilder::Insert(const TensorInfo& info) {
  Directory& d = directory_;
  if (info.name.empty()) return BadValue(d.path_, "tensor name", "", "expected at least 1 byte");
  if (d.names_.size() + info.name.size() > UINT32_MAX ||
      d.shapes_.size() + info.shape.size() > UINT32_MAX || d.records_.size() >= UINT32_MAX - 1) {
    return BadValue(d.path_, "tensor count", std::to_string(d.records_.size()),
                    "expected names and shapes of less than 4 GiB together");
  }
  if (2 * (d.records_.size() + 1) > d.slots_.size()) Grow();
  const size_t slot = d.SlotOf(info.name);
  if (d.slots_[slot] != 0) {
    return BadValue(d.path_, "tensor name", Printable(info.name),
                    "expected each name once: this one is a duplicate");
  }
  d.records_.push_back({.offset = info.offset,
                        .bytes = info.bytes,
                        .name_begin = static_cast<uint32_t>(d.names_.size()),
                        .name_size = static_cast<uint32_t>(info.name.size()),
                        .shape_begin = static_cast<uint32_t>(d.shapes_.size()),
                        .rank = static_cast<uint32_t>(info.shape.size()),
                        .file = info.file,
                        .dtype = info.dtype});
  d.names_ += info.name;
  d.shapes_.insert(d.shapes_.end(), info.shape.begin(), info.shape.end());
  d.slots_[slot] = static_cast<uint32_t>(d.records_.size());
  return {};
}

Status DirectoryBuilder::Add(const TensorInfo& info, std::string_view field) {
  const std::string& path = directory_.path_;
  const std::optional<uint64_t> bytes = ByteCount(info.dtype, info.shape);
  if (!bytes) {
    return BadValue(path, TensorField(info.name, "shape").Text(), ShapeText(info.shape),
                    "expected whole blocks of " +
                        std::to_string(InfoOf(info.dtype).block_elements) + " elements and " +
                        std::string(InfoOf(info.dtype).name) + " data below 2^61 bytes");
  }
  if (*bytes != info.bytes) {
    return BadValue(
        path, TensorField(info.name, field).Text() + ": size in bytes", std::to_string(info.bytes),
        "expected " + std::to_string(*bytes) + ": " + std::string(InfoOf(info.dtype).name) +
            " of shape " + ShapeText(info.shape));
  }
  const DataFile& file = directory_.files_[info.file];
  if (info.offset > file.bytes || info.bytes > file.bytes - info.offset) {
    return BadValue(
        path, TensorField(info.name, field).Text(),
        std::to_string(info.bytes) + " bytes at offset " + std::to_string(info.offset),
        "expected to end within the " + std::to_string(file.bytes) + " bytes of " + file.path);
  }
  return Insert(info);
}

Status DirectoryBuilder::AddInline(std::string_view name, DType dtype,
                                   std::span<const uint64_t> shape,
                                   std::span<const std::byte> bytes) {
  const std::optional<uint64_t> wanted = ByteCount(dtype, shape);
  if (!wanted || *wanted != bytes.size()) {
    return BadValue(
        directory_.path_, TensorField(name, "size in bytes").Text(), std::to_string(bytes.size()),
        "expected that of " + std::string(InfoOf(dtype).name) + " of shape " + ShapeText(shape));
  }
  std::vector<std::byte>& all = directory_.inline_;
  all.resize((all.size() + kInlineAlignment - 1) / kInlineAlignment * kInlineAlignment);
  const size_t offset = all.size();
  const Status inserted = Insert({.name = name,
                                  .dtype = dtype,
                                  .shape = shape,
                                  .file = kInline,
                                  .offset = offset,
                                  .bytes = bytes.size()});
  if (inserted) all.insert(all.end(), bytes.begin(), bytes.end());
  return inserted;
}

Status DirectoryBuilder::SetChecksum(std::string_view name, uint64_t checksum) {
  const Expected<size_t> index = directory_.Get(name);
  if (!index) return tl::unexpected(index.error());
  directory_.checksums_.resize(directory_.size());
  directory_.checksums_[*index] = checksum;
  return {};
}

Status DirectoryBuilder::CheckLayout(uint32_t file, const LayoutRules& rules) const {
  const Directory& d = directory_;
  std::vector<uint32_t> order;
  order.reserve(d.size());
  for (uint32_t i = 0; i < d.size(); ++i) {
    if (d.records_[i].file == file) order.push_back(i);
  }
  const auto before = [&](uint32_t a, uint32_t b) {
    const Directory::Record &x = d.records_[a], &y = d.records_[b];
    return std::pair(x.offset, x.bytes) < std::pair(y.offset, y.bytes);
  };
  if (!std::is_sorted(order.begin(), order.end(), before)) {
    std::sort(order.begin(), order.end(), before);
  }
  // `end` is where the data so far ends, `last` the tensor that ends there.
  uint64_t end = rules.data_begin;
  const Directory::Record* last = nullptr;
  for (const uint32_t index : order) {
    const Directory::Record& record = d.records_[index];
    const std::string_view name = d.NameOf(record);
    const std::string range = RangeText(record.offset, record.bytes);
    if (record.offset < rules.data_begin) {
      return BadValue(d.path_, TensorField(name, "bytes").Text(), range,
                      "expected to start at or after " + std::to_string(rules.data_begin) +
                          ", where the data begins");
    }
    if ((record.offset - rules.data_begin) % rules.alignment != 0) {
      return BadValue(d.path_, TensorField(name, "offset").Text(), std::to_string(record.offset),
                      "expected a multiple of the alignment " + std::to_string(rules.alignment) +
                          " after " + std::to_string(rules.data_begin));
    }
    const bool same = last != nullptr && last->offset == record.offset &&
                      last->bytes == record.bytes && rules.aliases;
    if (same || (record.bytes == 0 && rules.aliases)) continue;
    if (record.offset < end) {
      return BadValue(d.path_, TensorField(name, "bytes").Text(), range,
                      "expected no overlap with tensor '" + Printable(d.NameOf(*last)) + "' at " +
                          RangeText(last->offset, last->bytes));
    }
    if (record.offset - end > rules.largest_gap) {
      return BadValue(d.path_, TensorField(name, "offset").Text(), std::to_string(record.offset),
                      "expected at most " + std::to_string(end + rules.largest_gap) +
                          ": a hole follows the data that ends at " + std::to_string(end));
    }
    end = record.offset + record.bytes;
    last = &record;
  }
  const DataFile& data = d.files_[file];
  if (data.bytes - end > rules.largest_gap) {
    return BadValue(data.path, "file size in bytes", std::to_string(data.bytes),
                    "expected at most " + std::to_string(end + rules.largest_gap) +
                        ": bytes trail the data that ends at " + std::to_string(end));
  }
  return {};
}

Directory DirectoryBuilder::Take() { return std::move(directory_); }

}  // namespace plimsoll::weights
