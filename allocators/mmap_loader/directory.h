#ifndef ALLOCATORS_MMAP_LOADER_DIRECTORY_H_
#define ALLOCATORS_MMAP_LOADER_DIRECTORY_H_

// Which tensors a weight file holds and where: what every parser makes and everything
// else reads. A Directory never changes, so it is thread-safe; a DirectoryBuilder is
// used by one thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocators/mmap_loader/dtype.h"
#include "allocators/mmap_loader/field_name.h"
#include "base/error.h"

namespace plimsoll::weights {

enum class Format : uint8_t { kSafetensors, kOnnx, kOpenvinoIr, kGguf, kBlob };
// "safetensors", "onnx", "openvino", "gguf", "blob".
const char* FormatName(Format format);
std::optional<Format> FormatNamed(std::string_view name);

// A file that holds tensor data.
struct DataFile {
  std::string path;
  uint64_t bytes = 0;
};

// The `file` of a tensor whose bytes the directory itself keeps, because no file holds
// them as an array (protobuf's varints).
constexpr uint32_t kInline = UINT32_MAX;

struct TensorInfo {
  std::string_view name;  // valid while the directory is
  DType dtype = DType::kU8;
  std::span<const uint64_t> shape;  // outermost first; empty for a scalar
  uint32_t file = 0;                // index into files(), or kInline
  uint64_t offset = 0;              // in that file
  uint64_t bytes = 0;
  std::optional<uint64_t> checksum = {};  // XXH3-64 of the bytes
};

class Directory {
 public:
  Format format() const { return format_; }
  const std::string& path() const { return path_; }
  const std::vector<DataFile>& files() const { return files_; }
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

  size_t size() const { return records_.size(); }
  // In the order of the file. REQUIRES: index < size().
  TensorInfo at(size_t index) const;
  std::optional<size_t> Find(std::string_view name) const;
  // An error that names the path and the nearest that is allowed.
  Expected<size_t> Get(std::string_view name) const;
  // REQUIRES: info.file == kInline.
  std::span<const std::byte> InlineBytes(const TensorInfo& info) const;

  // Sum of the tensors' sizes; aliases count each time.
  uint64_t tensor_bytes() const;
  // What this object itself takes on the heap.
  uint64_t memory_bytes() const;

 private:
  friend class DirectoryBuilder;
  struct Record {
    uint64_t offset;
    uint64_t bytes;
    uint32_t name_begin;
    uint32_t name_size;
    uint32_t shape_begin;
    uint32_t rank;
    uint32_t file;
    DType dtype;
  };
  std::string_view NameOf(const Record& record) const {
    return std::string_view(names_).substr(record.name_begin, record.name_size);
  }
  // The slot of `slots_` where `name` stands or would be put.
  size_t SlotOf(std::string_view name) const;

  Format format_ = Format::kBlob;
  std::string path_;
  std::vector<DataFile> files_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Record> records_;
  std::string names_;             // all names, one after the other
  std::vector<uint64_t> shapes_;  // all shapes
  std::vector<uint32_t> slots_;   // open hash table of record index + 1; a power of two
  std::vector<std::byte> inline_;
  std::vector<std::optional<uint64_t>> checksums_;  // empty when there are none
};

// What a format demands of the places of its tensors.
struct LayoutRules {
  bool aliases = false;      // two tensors may share exactly the same bytes
  uint64_t largest_gap = 0;  // bytes that no tensor owns, between tensors and at the end
  uint64_t alignment = 1;    // of each tensor's offset from data_begin
  uint64_t data_begin = 0;   // first byte that may hold data
};
constexpr uint64_t kAnyGap = UINT64_MAX;

class DirectoryBuilder {
 public:
  DirectoryBuilder(Format format, std::string path);

  // Room for about so many tensors, to save growing.
  void Reserve(size_t tensors, size_t name_bytes);
  uint32_t AddFile(std::string path, uint64_t bytes);
  void AddMetadata(std::string key, std::string value);

  // Copies name and shape. An error for a duplicate or empty name, a size that is not
  // that of dtype and shape, and a range outside its file. `field` is how the format
  // calls the range.
  Status Add(const TensorInfo& info, std::string_view field);
  // A tensor whose bytes the directory keeps.
  Status AddInline(std::string_view name, DType dtype, std::span<const uint64_t> shape,
                   std::span<const std::byte> bytes);
  size_t size() const { return directory_.size(); }
  const Directory& so_far() const { return directory_; }
  // For a tensor already added; an error for any other name.
  Status SetChecksum(std::string_view name, uint64_t checksum);

  // Checks each file's tensors against the rules of the format.
  Status CheckLayout(uint32_t file, const LayoutRules& rules) const;
  Directory Take();

 private:
  Status Insert(const TensorInfo& info);
  void Grow();

  Directory directory_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_DIRECTORY_H_
