#include "allocators/mmap_loader/os.h"

#include <stdio.h>
#include <sys/syscall.h>

namespace plimsoll::weights {
namespace {

// <linux/mempolicy.h>, which only libnuma's headers bring in.
constexpr int kMpolInterleave = 3;

}  // namespace

int Os::Open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
int Os::Close(int descriptor) { return ::close(descriptor); }
int Os::Fstat(int descriptor, struct stat* out) { return ::fstat(descriptor, out); }
int Os::Stat(const char* path, struct stat* out) { return ::stat(path, out); }
int Os::Fstatfs(int descriptor, struct statfs* out) { return ::fstatfs(descriptor, out); }
int Os::GetFlags(int descriptor) { return ::fcntl(descriptor, F_GETFL); }
int Os::SetFlags(int descriptor, int flags) { return ::fcntl(descriptor, F_SETFL, flags); }

ssize_t Os::Pread(int descriptor, void* to, size_t bytes, off_t offset) {
  return ::pread(descriptor, to, bytes, offset);
}

ssize_t Os::Pwrite(int descriptor, const void* from, size_t bytes, off_t offset) {
  return ::pwrite(descriptor, from, bytes, offset);
}

int Os::Fadvise(int descriptor, off_t offset, off_t bytes, int advice) {
  return ::posix_fadvise(descriptor, offset, bytes, advice);
}

int Os::Fsync(int descriptor) { return ::fsync(descriptor); }
int Os::Rename(const char* from, const char* to) { return ::rename(from, to); }
int Os::Unlink(const char* path) { return ::unlink(path); }

void* Os::Mmap(void* address, size_t bytes, int protection, int flags, int descriptor,
               off_t offset) {
  return ::mmap(address, bytes, protection, flags, descriptor, offset);
}

int Os::Munmap(void* address, size_t bytes) { return ::munmap(address, bytes); }
int Os::Madvise(void* address, size_t bytes, int advice) {
  return ::madvise(address, bytes, advice);
}
int Os::Mlock(const void* address, size_t bytes) { return ::mlock(address, bytes); }
int Os::Munlock(const void* address, size_t bytes) { return ::munlock(address, bytes); }
int Os::Mincore(void* address, size_t bytes, unsigned char* out) {
  return ::mincore(address, bytes, out);
}

int Os::Interleave(void* address, size_t bytes, uint64_t node_mask) {
  // The kernel reads max_node - 1 bits of the mask.
  return static_cast<int>(::syscall(SYS_mbind, address, bytes, kMpolInterleave, &node_mask,
                                    8 * sizeof(node_mask) + 1, 0));
}

Os& Os::Real() {
  static Os os;
  return os;
}

size_t PageSize() {
  static const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return page;
}

}  // namespace plimsoll::weights
