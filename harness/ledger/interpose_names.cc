// Names that outlive their descriptors: temporary files and shared memory.

#include "harness/ledger/interpose_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/ledger/interpose.h"
#include "harness/ledger/names.h"

namespace plimsoll::ledger {
namespace {

constexpr size_t kPath = Names::kMaximumPath;
constexpr char kSharedMemoryFolder[] = "/dev/shm/";

class KeepErrno {
 public:
  KeepErrno() : kept_(errno) {}
  ~KeepErrno() { errno = kept_; }

 private:
  int kept_;
};

// From the root, where it is short enough to be entered.
bool Absolute(const char* path, char (&result)[kPath]) {
  size_t used = 0;
  if (path[0] != '/') {
    if (getcwd(result, kPath - 1) == nullptr) return false;
    used = strlen(result);
    result[used++] = '/';
    if (path[0] == '.' && path[1] == '/') path += 2;
  }
  const size_t length = strlen(path);
  if (used + length >= kPath) return false;
  memcpy(result + used, path, length + 1);
  return true;
}

bool IsBelow(const char* path, const char* folder) {
  const size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 &&
         (path[length] == '/' || (length > 0 && folder[length - 1] == '/'));
}

bool IsTemporary(const char* path) {
  const char* chosen = getenv("TMPDIR");
  return IsBelow(path, "/tmp") || IsBelow(path, "/var/tmp") || IsBelow(path, kSharedMemoryFolder) ||
         (chosen != nullptr && chosen[0] == '/' && IsBelow(path, chosen));
}

void Count(const Names::Change& change) {
  state.counters.Held(change.kind, change.bytes, change.names);
}

void EnterName(ResourceKind kind, const char* path, const void* frame) {
  if (Suppressed() || !InOwnProcess()) return;
  const Birth birth = BirthHere(kind, frame);
  Names::Change change;
  if (birth.site == 0 || !state.names.AddPath(kind, path, birth, &change)) {
    state.counters.Untracked();
  }
  Count(change);
}

// "/dev/shm/NAME" for the NAME or "/NAME" of shm_open.
bool SharedMemoryPath(const char* name, char (&result)[kPath]) {
  while (*name == '/') ++name;
  const size_t length = strlen(name);
  constexpr size_t kFolder = sizeof kSharedMemoryFolder - 1;
  if (kFolder + length >= kPath) return false;
  memcpy(result, kSharedMemoryFolder, kFolder);
  memcpy(result + kFolder, name, length + 1);
  return true;
}

}  // namespace

bool WouldCreateTemporary(const char* path, int flags) {
  if ((flags & O_CREAT) == 0 || path == nullptr || Suppressed()) return false;
  KeepErrno keep;
  char absolute[kPath];
  return Absolute(path, absolute) && IsTemporary(absolute) &&
         ((flags & O_EXCL) != 0 || access(absolute, F_OK) != 0);
}

bool WouldCreateTemporary(const char* path, const char* mode) {
  return mode != nullptr && mode[0] != 'r' && WouldCreateTemporary(path, O_CREAT);
}

void EnterFileName(const char* path, const void* frame) {
  KeepErrno keep;
  char absolute[kPath];
  if (!Absolute(path, absolute)) return state.counters.Untracked();
  EnterName(IsBelow(absolute, kSharedMemoryFolder) ? ResourceKind::kSharedMemory
                                                   : ResourceKind::kTempFile,
            absolute, frame);
}

void LeaveFileName(const char* path) {
  if (state.names.Empty() || !InOwnProcess()) return;
  KeepErrno keep;
  char absolute[kPath];
  if (!Absolute(path, absolute)) return;
  Names::Change change;
  state.names.RemovePath(absolute, &change);
  Count(change);
}

}  // namespace plimsoll::ledger

using plimsoll::ResourceKind;
using plimsoll::ledger::BirthHere;
using plimsoll::ledger::Count;
using plimsoll::ledger::EnterDescriptor;
using plimsoll::ledger::EnterFileName;
using plimsoll::ledger::EnterName;
using plimsoll::ledger::InOwnProcess;
using plimsoll::ledger::KeepErrno;
using plimsoll::ledger::kPath;
using plimsoll::ledger::LeaveFileName;
using plimsoll::ledger::Names;
using plimsoll::ledger::SharedMemoryPath;
using plimsoll::ledger::state;
using plimsoll::ledger::Suppressed;

namespace {

// mkstemp and its family: the name is in the template by now.
inline int EnteredFile(int descriptor, const char* path, const void* frame) {
  if (descriptor < 0) return descriptor;
  EnterDescriptor(descriptor, frame);
  EnterFileName(path, frame);
  return descriptor;
}

}  // namespace

PLIMSOLL_INTERPOSED int mkstemp(char* path) {
  return EnteredFile(PLIMSOLL_NEXT(mkstemp)(path), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkstemp64(char* path) {
  return EnteredFile(PLIMSOLL_NEXT(mkstemp64)(path), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkostemp(char* path, int flags) {
  return EnteredFile(PLIMSOLL_NEXT(mkostemp)(path, flags), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkostemp64(char* path, int flags) {
  return EnteredFile(PLIMSOLL_NEXT(mkostemp64)(path, flags), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkstemps(char* path, int suffix) {
  return EnteredFile(PLIMSOLL_NEXT(mkstemps)(path, suffix), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkstemps64(char* path, int suffix) {
  return EnteredFile(PLIMSOLL_NEXT(mkstemps64)(path, suffix), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkostemps(char* path, int suffix, int flags) {
  return EnteredFile(PLIMSOLL_NEXT(mkostemps)(path, suffix, flags), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mkostemps64(char* path, int suffix, int flags) {
  return EnteredFile(PLIMSOLL_NEXT(mkostemps64)(path, suffix, flags), path, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED char* mkdtemp(char* path) noexcept {
  char* result = PLIMSOLL_NEXT(mkdtemp)(path);
  if (result != nullptr) EnterFileName(path, PLIMSOLL_FRAME);
  return result;
}

PLIMSOLL_INTERPOSED int unlink(const char* path) noexcept {
  const int error = PLIMSOLL_NEXT(unlink)(path);
  if (error == 0) LeaveFileName(path);
  return error;
}

PLIMSOLL_INTERPOSED int unlinkat(int folder, const char* path, int flags) noexcept {
  const int error = PLIMSOLL_NEXT(unlinkat)(folder, path, flags);
  if (error == 0 && (folder == AT_FDCWD || path[0] == '/')) LeaveFileName(path);
  return error;
}

PLIMSOLL_INTERPOSED int remove(const char* path) noexcept {
  const int error = PLIMSOLL_NEXT(remove)(path);
  if (error == 0) LeaveFileName(path);
  return error;
}

PLIMSOLL_INTERPOSED int rmdir(const char* path) noexcept {
  const int error = PLIMSOLL_NEXT(rmdir)(path);
  if (error == 0) LeaveFileName(path);
  return error;
}

PLIMSOLL_INTERPOSED int rename(const char* path, const char* new_path) noexcept {
  const int error = PLIMSOLL_NEXT(rename)(path, new_path);
  if (error == 0) LeaveFileName(path);
  return error;
}

PLIMSOLL_INTERPOSED int shm_open(const char* name, int flags, mode_t mode) {
  char path[kPath];
  const bool known = SharedMemoryPath(name, path);
  bool creates = (flags & O_CREAT) != 0 && !Suppressed();
  if (creates && known && (flags & O_EXCL) == 0) {
    KeepErrno keep;
    creates = access(path, F_OK) != 0;
  }
  const int descriptor = PLIMSOLL_NEXT(shm_open)(name, flags, mode);
  if (descriptor < 0) return descriptor;
  EnterDescriptor(descriptor, PLIMSOLL_FRAME);
  if (creates && known) EnterName(ResourceKind::kSharedMemory, path, PLIMSOLL_FRAME);
  return descriptor;
}

PLIMSOLL_INTERPOSED int shm_unlink(const char* name) {
  const int error = PLIMSOLL_NEXT(shm_unlink)(name);
  char path[kPath];
  if (error == 0 && SharedMemoryPath(name, path)) LeaveFileName(path);
  return error;
}

PLIMSOLL_INTERPOSED int shmget(key_t key, size_t size, int flags) noexcept {
  auto* next = PLIMSOLL_NEXT(shmget);
  bool creates = (key == IPC_PRIVATE || (flags & IPC_CREAT) != 0) && !Suppressed();
  if (creates && key != IPC_PRIVATE && (flags & IPC_EXCL) == 0) {
    KeepErrno keep;
    creates = next(key, 0, 0) < 0;
  }
  const int segment = next(key, size, flags);
  if (segment < 0 || !creates || !InOwnProcess()) return segment;
  const auto birth = BirthHere(ResourceKind::kSharedMemory, PLIMSOLL_FRAME);
  Names::Change change;
  if (birth.site == 0 || !state.names.AddSegment(segment, size, birth, &change)) {
    state.counters.Untracked();
  }
  Count(change);
  return segment;
}

PLIMSOLL_INTERPOSED int shmctl(int segment, int command, shmid_ds* status) noexcept {
  const int error = PLIMSOLL_NEXT(shmctl)(segment, command, status);
  if (error != 0 || command != IPC_RMID || !InOwnProcess()) return error;
  Names::Change change;
  state.names.RemoveSegment(segment, &change);
  Count(change);
  return error;
}
