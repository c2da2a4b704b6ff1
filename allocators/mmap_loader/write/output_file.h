#ifndef ALLOCATORS_MMAP_LOADER_WRITE_OUTPUT_FILE_H_
#define ALLOCATORS_MMAP_LOADER_WRITE_OUTPUT_FILE_H_

// A file that replaces another all at once: written beside it under a temporary name,
// synced and renamed. Who maps the old one keeps it whole. One thread at a time.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "allocators/mmap_loader/os.h"
#include "base/error.h"

namespace plimsoll::weights {

class OutputFile {
 public:
  // Creates the temporary file. A symbolic link is followed: what it names is replaced.
  static Expected<std::unique_ptr<OutputFile>> Create(Os& os, const std::string& path);
  // Without Commit the temporary file is removed and the old one stays.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::string& path() const { return path_; }
  // Bytes appended so far.
  uint64_t size() const { return size_; }

  Status Append(std::span<const std::byte> bytes);
  Status Append(std::string_view text) {
    return Append(std::as_bytes(std::span(text.data(), text.size())));
  }
  // Zeros up to a multiple of `alignment`, a power of two.
  Status Pad(uint64_t alignment);
  // Writes over what was appended. REQUIRES: offset + text.size() <= size().
  Status Overwrite(uint64_t offset, std::string_view text);

  // Syncs, renames, and syncs the folder. On an error the old file stays.
  Status Commit();

 private:
  OutputFile(Os& os, std::string path, std::string temporary, int descriptor)
      : os_(os),
        path_(std::move(path)),
        temporary_(std::move(temporary)),
        descriptor_(descriptor) {}
  Status WriteAt(uint64_t offset, std::span<const std::byte> bytes);
  Status SyncFolder() const;

  Os& os_;
  const std::string path_;
  const std::string temporary_;
  int descriptor_;
  uint64_t size_ = 0;
  bool renamed_ = false;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_WRITE_OUTPUT_FILE_H_
