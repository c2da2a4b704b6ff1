#ifndef HARNESS_LEDGER_INTERPOSE_NAMES_H_
#define HARNESS_LEDGER_INTERPOSE_NAMES_H_

// Which files count as temporary, and entering their names. Thread-safe; errno is kept.

#include <cstddef>

namespace plimsoll::ledger {

// True when opening `path` with these flags of open(2) would create a file below $TMPDIR,
// /tmp, /var/tmp or /dev/shm. Asked before the call. `path` counts from the working folder.
bool WouldCreateTemporary(const char* path, int flags);
// The same for a mode of fopen(3).
bool WouldCreateTemporary(const char* path, const char* mode);

// A file that was created; below /dev/shm it is shared memory.
void EnterFileName(const char* path, const void* frame);
// Unlinked, or renamed: under a name of its own it is no longer temporary.
void LeaveFileName(const char* path);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_INTERPOSE_NAMES_H_
