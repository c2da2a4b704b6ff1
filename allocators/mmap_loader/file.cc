#include "allocators/mmap_loader/file.h"

#include <algorithm>
#include <cerrno>

namespace plimsoll::weights {
namespace {

const char* TypeName(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "directory";
    case S_IFIFO:
      return "FIFO";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    default:
      return "unknown";
  }
}

// Linux reads at most this many bytes in one call.
constexpr size_t kLargestRead = 0x7ffff000;

}  // namespace

FileIdentity IdentityOf(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .bytes = static_cast<uint64_t>(status.st_size),
          .modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Expected<std::shared_ptr<File>> File::Open(Os& os, const std::string& path) {
  int descriptor = -1;
  do {
    // O_NONBLOCK: opening a FIFO that nobody writes must not wait.
    descriptor = os.Open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return SystemError(path, "open", errno);
  struct stat status;
  if (os.Fstat(descriptor, &status) != 0) {
    const int error = errno;
    os.Close(descriptor);
    return SystemError(path, "stat", error);
  }
  // From here on the descriptor has an owner.
  std::shared_ptr<File> file(new File(os, path, descriptor, IdentityOf(status)));
  if (!S_ISREG(status.st_mode)) {
    return BadValue(path, "file type", TypeName(status.st_mode), "expected a regular file");
  }
  if (file->size() == 0) {
    return BadValue(path, "file size in bytes", "0", "expected at least 1");
  }
  return file;
}

File::~File() { os_.Close(descriptor_); }

Status File::ReadAt(uint64_t offset, std::span<std::byte> to) const {
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t got = os_.Pread(descriptor_, to.data() + done,
                                  std::min(to.size() - done, kLargestRead), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return SystemError(path_,
                         "read " + std::to_string(to.size() - done) + " bytes at offset " +
                             std::to_string(offset + done),
                         errno);
    }
    if (got == 0) {
      return BadValue(path_, "bytes read at offset " + std::to_string(offset),
                      std::to_string(to.size()),
                      "the file ends at " + std::to_string(offset + done));
    }
    done += static_cast<size_t>(got);
  }
  return {};
}

Expected<uint64_t> File::CurrentSize() const {
  struct stat status;
  if (os_.Fstat(descriptor_, &status) != 0) return SystemError(path_, "stat", errno);
  return static_cast<uint64_t>(status.st_size);
}

Status File::CheckStillHolds(uint64_t end) const {
  const Expected<uint64_t> bytes = CurrentSize();
  if (!bytes) return tl::unexpected(bytes.error());
  if (*bytes < end) {
    return BadValue(path_, "file size in bytes", std::to_string(*bytes),
                    "expected at least " + std::to_string(end) + ": the file was " +
                        std::to_string(identity_.bytes) + " bytes when opened and has shrunk");
  }
  return {};
}

Status File::CheckUnchanged() const {
  if (const Status holds = CheckStillHolds(identity_.bytes); !holds) return holds;
  struct stat status;
  if (os_.Fstat(descriptor_, &status) != 0) return SystemError(path_, "stat", errno);
  const FileIdentity now = IdentityOf(status);
  if (now != identity_) {
    return BadValue(
        path_, "size and modification time",
        std::to_string(now.bytes) + " bytes, " + std::to_string(now.modified_ns) + " ns",
        "expected " + std::to_string(identity_.bytes) + " bytes, " +
            std::to_string(identity_.modified_ns) +
            " ns: the file was changed since it was opened");
  }
  return {};
}

Status File::Revalidate() const {
  if (const Status unchanged = CheckUnchanged(); !unchanged) return unchanged;
  struct stat status;
  if (os_.Stat(path_.c_str(), &status) != 0) return SystemError(path_, "stat", errno);
  const FileIdentity named = IdentityOf(status);
  if (named.device != identity_.device || named.inode != identity_.inode) {
    return BadValue(path_, "inode", std::to_string(named.inode),
                    "expected " + std::to_string(identity_.inode) +
                        ": the file was replaced since it was opened");
  }
  return {};
}

}  // namespace plimsoll::weights
