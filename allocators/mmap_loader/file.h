#ifndef ALLOCATORS_MMAP_LOADER_FILE_H_
#define ALLOCATORS_MMAP_LOADER_FILE_H_

// A regular file opened for reading, and what makes it that file and no other.
// Thread-safe: the descriptor is only read with explicit offsets.

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/os.h"
#include "base/error.h"

namespace plimsoll::weights {

// Two files with equal identities hold the same bytes, as far as a file system says.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // st_mtim
  auto operator<=>(const FileIdentity&) const = default;
};

FileIdentity IdentityOf(const struct stat& status);

class File : public ByteSource {
 public:
  // Opens without blocking or following a terminal. Missing, empty, a directory, a FIFO
  // or any other thing than a regular file: an error that says which.
  static Expected<std::shared_ptr<File>> Open(Os& os, const std::string& path);
  ~File() override;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const override { return path_; }
  uint64_t size() const override { return identity_.bytes; }
  const FileIdentity& identity() const { return identity_; }
  int descriptor() const { return descriptor_; }
  Os& os() const { return os_; }

  // Interrupted and short reads are continued; the end of the file before `to` is full
  // is an error, as is EIO.
  Status ReadAt(uint64_t offset, std::span<std::byte> to) const override;

  // Its size now, in bytes.
  Expected<uint64_t> CurrentSize() const;
  // An error when the file now ends before `end`, as after a truncation.
  Status CheckStillHolds(uint64_t end) const;
  // An error when size or modification time are no longer those it was opened with.
  Status CheckUnchanged() const;
  // CheckUnchanged, and an error when `path` names another file by now.
  Status Revalidate() const;

 private:
  File(Os& os, std::string path, int descriptor, const FileIdentity& identity)
      : os_(os), path_(std::move(path)), descriptor_(descriptor), identity_(identity) {}

  Os& os_;
  const std::string path_;
  const int descriptor_;
  const FileIdentity identity_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FILE_H_
