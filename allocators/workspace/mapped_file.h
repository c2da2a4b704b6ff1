#ifndef ALLOCATORS_WORKSPACE_MAPPED_FILE_H_
#define ALLOCATORS_WORKSPACE_MAPPED_FILE_H_

// A file mapped for reading and writing, its disk space reserved before the first
// store, so that a full disk is an error and never a SIGBUS. Not thread-safe.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace plimsoll {

// The one seam to the kernel, so that tests can have it refuse.
struct MappedFileCalls {
  // As posix_fallocate: 0 or an error number.
  int (*reserve)(int descriptor, off_t offset, off_t bytes);
  void* (*map)(void* address, size_t bytes, int protection, int flags, int descriptor,
               off_t offset);

  static const MappedFileCalls& System();
};

// Owns the mapping and the descriptor. A named file is never shortened: it grows to the
// size asked for, keeps its contents, and when growing fails it has its old length again.
class MappedFile {
 public:
  // Maps the first max(bytes, the file's length) bytes of the file at `path`, of at most
  // `max_bytes` (0: any). A missing file is created (mode 0600), and removed again on
  // error. `bytes` 0 takes the length that the file has. The file is locked (flock)
  // while it is mapped. Errors name the path: a directory, not a regular file,
  // read-only, full disk, in use by another workspace, empty.
  static Expected<MappedFile> OpenNamed(const std::string& path, uint64_t bytes,
                                        uint64_t max_bytes = 0,
                                        const MappedFileCalls& calls = MappedFileCalls::System());

  // Maps `bytes` bytes of a file without a name in `directory` (empty: $TMPDIR, or
  // /tmp). Its disk space is free again when this object, or the process, ends.
  static Expected<MappedFile> OpenTemporary(
      const std::string& directory, uint64_t bytes,
      const MappedFileCalls& calls = MappedFileCalls::System());

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

  // Grows file and mapping; contents stay, data() may move. On error nothing changed.
  Status Grow(uint64_t bytes);

 private:
  MappedFile(std::string label, int descriptor, const MappedFileCalls& calls)
      : label_(std::move(label)), descriptor_(descriptor), calls_(&calls) {}

  // Reserves and maps; on error the file has the length it had.
  Status ReserveAndMap(uint64_t bytes);
  void Close() noexcept;

  std::string label_;  // the path, or the directory of a file without a name
  int descriptor_ = -1;
  const MappedFileCalls* calls_;
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_MAPPED_FILE_H_
