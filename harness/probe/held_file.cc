#include "harness/probe/held_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace plimsoll {
namespace {

constexpr int kFirstNumber = 1000;

// Straight to the kernel: the ledger interposes open, dup and close to hold the
// program's descriptors against it, and these are not the program's.
int RawOpen(int directory, const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, directory, path, flags | O_CLOEXEC, 0));
}
int RawDuplicate(int fd, int first_number) {
  return static_cast<int>(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_number));
}
void RawClose(int fd) { syscall(SYS_close, fd); }

}  // namespace

HeldFile::HeldFile(HeldFile&& other) noexcept
    : fd_(other.fd_), device_(other.device_), inode_(other.inode_) {
  other.fd_ = -1;
}

HeldFile& HeldFile::operator=(HeldFile&& other) noexcept {
  if (this == &other) return *this;
  Close();
  fd_ = other.fd_;
  device_ = other.device_;
  inode_ = other.inode_;
  other.fd_ = -1;
  return *this;
}

bool HeldFile::Open(int directory, const char* path, int flags) {
  Close();
  const int low = RawOpen(directory, path, flags);
  if (low < 0) return false;
  const int high = RawDuplicate(low, kFirstNumber);
  if (high >= 0) RawClose(low);
  fd_ = high >= 0 ? high : low;
  struct stat identity;
  if (fstat(fd_, &identity) != 0) {
    RawClose(fd_);
    fd_ = -1;
    return false;
  }
  device_ = identity.st_dev;
  inode_ = identity.st_ino;
  return true;
}

void HeldFile::Close() {
  if (Intact()) RawClose(fd_);
  fd_ = -1;
}

bool HeldFile::Intact() const {
  struct stat identity;
  return fd_ >= 0 && fstat(fd_, &identity) == 0 && identity.st_dev == device_ &&
         identity.st_ino == inode_;
}

ssize_t HeldFile::Read(void* buffer, size_t size, off_t offset) const {
  return pread(fd_, buffer, size, offset);
}

bool HeldFile::Write(const void* data, size_t size) const {
  return write(fd_, data, size) == static_cast<ssize_t>(size);
}

Count HeldFile::CountEntries() const {
  struct Entry {  // linux_dirent64
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
  };
  if (lseek(fd_, 0, SEEK_SET) != 0) return std::nullopt;
  alignas(Entry) char buffer[4096];
  uint64_t entries = 0;
  for (;;) {
    const long filled = syscall(SYS_getdents64, fd_, buffer, sizeof(buffer));
    if (filled < 0) return std::nullopt;
    if (filled == 0) return entries;
    for (long at = 0; at < filled;) {
      const Entry* entry = reinterpret_cast<const Entry*>(buffer + at);
      if (entry->name[0] != '.') ++entries;
      at += entry->size;
    }
  }
}

}  // namespace plimsoll
