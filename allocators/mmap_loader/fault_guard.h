#ifndef ALLOCATORS_MMAP_LOADER_FAULT_GUARD_H_
#define ALLOCATORS_MMAP_LOADER_FAULT_GUARD_H_

// Keeps a process alive when the file under a mapping shrinks or its disk fails: the
// SIGBUS of a guarded range puts zero pages there and leaves a mark that its readers are
// told of. Thread-safe; the signal handler takes no lock and does not allocate.
//
// The bytes that took the place of lost ones are zeros, for every thread that reads them,
// until the mapping goes: whoever reads a guarded range asks Check afterwards.

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/error.h"

namespace plimsoll::weights {

class FaultGuard {
 public:
  // Guards [data, data + bytes), the mapping of the whole file `descriptor`, `bytes` being
  // whole pages, for as long as this lives. The process's handler is installed at the
  // first guard; faults elsewhere go to the handler that was there before, or end the
  // process as they would have.
  FaultGuard(std::byte* data, size_t bytes, int descriptor);
  ~FaultGuard();
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;

  // An error when a byte of [offset, offset + bytes) was lost. `path` is for the error.
  Status Check(const char* path, uint64_t offset, uint64_t bytes) const;
  // Whether anything was lost.
  bool damaged() const;

  struct Slot;  // for the handler

 private:
  Slot* const slot_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FAULT_GUARD_H_
