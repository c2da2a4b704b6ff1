#ifndef ALLOCATORS_MMAP_LOADER_OS_H_
#define ALLOCATORS_MMAP_LOADER_OS_H_

// The one seam to the operating system: every call of the loader that can fail goes
// through it, so a test can make any of them fail. Thread-safe, as the calls are; an
// override must be too.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace plimsoll::weights {

// Each member is the system call of its name, errno and all.
class Os {
 public:
  virtual ~Os() = default;

  virtual int Open(const char* path, int flags, mode_t mode);
  virtual int Close(int descriptor);
  virtual int Fstat(int descriptor, struct stat* out);
  virtual int Stat(const char* path, struct stat* out);
  virtual int Fstatfs(int descriptor, struct statfs* out);
  // fcntl(F_GETFL) and fcntl(F_SETFL).
  virtual int GetFlags(int descriptor);
  virtual int SetFlags(int descriptor, int flags);
  virtual ssize_t Pread(int descriptor, void* to, size_t bytes, off_t offset);
  virtual ssize_t Pwrite(int descriptor, const void* from, size_t bytes, off_t offset);
  virtual int Fadvise(int descriptor, off_t offset, off_t bytes, int advice);
  virtual int Fsync(int descriptor);
  virtual int Rename(const char* from, const char* to);
  virtual int Unlink(const char* path);

  virtual void* Mmap(void* address, size_t bytes, int protection, int flags, int descriptor,
                     off_t offset);
  virtual int Munmap(void* address, size_t bytes);
  virtual int Madvise(void* address, size_t bytes, int advice);
  virtual int Mlock(const void* address, size_t bytes);
  virtual int Munlock(const void* address, size_t bytes);
  virtual int Mincore(void* address, size_t bytes, unsigned char* out);
  // mbind(MPOL_INTERLEAVE) over the nodes in `node_mask`.
  virtual int Interleave(void* address, size_t bytes, uint64_t node_mask);

  static Os& Real();
};

// sysconf(_SC_PAGESIZE), asked once.
size_t PageSize();

inline uint64_t PageFloor(uint64_t offset) { return offset & ~(uint64_t{PageSize()} - 1); }
// REQUIRES: offset <= 2^64 - PageSize().
inline uint64_t PageCeil(uint64_t offset) { return PageFloor(offset + PageSize() - 1); }

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_OS_H_
