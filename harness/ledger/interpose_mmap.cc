// Address ranges: mmap, munmap, mremap, shmat, shmdt.

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "harness/ledger/interpose.h"

using plimsoll::ledger::CalledByAllocator;
using plimsoll::ledger::EnterMapping;
using plimsoll::ledger::LeaveMapping;
using plimsoll::ledger::LeaveMappingAt;

PLIMSOLL_INTERPOSED void* mmap(void* address, size_t bytes, int protection, int flags,
                               int descriptor, off_t offset) noexcept {
  void* result = PLIMSOLL_NEXT(mmap)(address, bytes, protection, flags, descriptor, offset);
  if (result != MAP_FAILED && !CalledByAllocator(PLIMSOLL_FRAME)) {
    EnterMapping(result, bytes, PLIMSOLL_FRAME);
  }
  return result;
}

PLIMSOLL_INTERPOSED void* mmap64(void* address, size_t bytes, int protection, int flags,
                                 int descriptor, off64_t offset) noexcept {
  void* result = PLIMSOLL_NEXT(mmap64)(address, bytes, protection, flags, descriptor, offset);
  if (result != MAP_FAILED && !CalledByAllocator(PLIMSOLL_FRAME)) {
    EnterMapping(result, bytes, PLIMSOLL_FRAME);
  }
  return result;
}

PLIMSOLL_INTERPOSED int munmap(void* address, size_t bytes) noexcept {
  // Before the call: afterwards another thread's mapping may stand there. What the kernel
  // would refuse (EINVAL) is not taken out.
  const bool valid = (reinterpret_cast<uint64_t>(address) & 4095) == 0 && bytes != 0;
  if (valid) LeaveMapping(address, bytes);
  return PLIMSOLL_NEXT(munmap)(address, bytes);
}

PLIMSOLL_INTERPOSED void* mremap(void* address, size_t old_bytes, size_t new_bytes, int flags,
                                 ...) noexcept {
  va_list arguments;
  va_start(arguments, flags);
  void* new_address = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void*) : nullptr;
  va_end(arguments);
  void* result = PLIMSOLL_NEXT(mremap)(address, old_bytes, new_bytes, flags, new_address);
  if (result == MAP_FAILED) return result;
  if ((flags & MREMAP_DONTUNMAP) == 0) LeaveMapping(address, old_bytes);
  if (!CalledByAllocator(PLIMSOLL_FRAME)) EnterMapping(result, new_bytes, PLIMSOLL_FRAME);
  return result;
}

PLIMSOLL_INTERPOSED void* shmat(int segment, const void* address, int flags) noexcept {
  void* result = PLIMSOLL_NEXT(shmat)(segment, address, flags);
  if (result == MAP_FAILED) return result;
  shmid_ds status = {};
  if (PLIMSOLL_NEXT(shmctl)(segment, IPC_STAT, &status) == 0) {
    EnterMapping(result, status.shm_segsz, PLIMSOLL_FRAME);
  }
  return result;
}

PLIMSOLL_INTERPOSED int shmdt(const void* address) noexcept {
  LeaveMappingAt(const_cast<void*>(address));
  return PLIMSOLL_NEXT(shmdt)(address);
}
