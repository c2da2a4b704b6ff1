// Descriptors that the C library opens and closes itself: streams, folders, pipes to
// commands. Its own calls do not pass through the interposed open and close.

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "harness/ledger/interpose.h"
#include "harness/ledger/interpose_names.h"

using plimsoll::ledger::EnterDescriptor;
using plimsoll::ledger::EnterFileName;
using plimsoll::ledger::LeaveDescriptor;
using plimsoll::ledger::WouldCreateTemporary;

namespace {

// -1 for a stream without one, as of open_memstream; errno is kept.
int DescriptorOf(FILE* stream) {
  const int before = errno;
  const int descriptor = fileno(stream);
  errno = before;
  return descriptor;
}

// closedir(NULL) is an error to report, not to crash on.
int DescriptorOf(DIR* folder) { return folder != nullptr ? dirfd(folder) : -1; }

inline FILE* Entered(FILE* stream, const void* frame) {
  if (stream != nullptr) EnterDescriptor(DescriptorOf(stream), frame);
  return stream;
}

inline FILE* EnteredFile(FILE* stream, const char* path, bool created, const void* frame) {
  if (stream != nullptr && created) EnterFileName(path, frame);
  return Entered(stream, frame);
}

// freopen closes the stream's descriptor whether or not it opens another.
inline FILE* Reopened(FILE* result, int before, const void* frame) {
  const int now = result != nullptr ? DescriptorOf(result) : -1;
  if (now == before) return result;
  LeaveDescriptor(before);
  EnterDescriptor(now, frame);
  return result;
}

}  // namespace

PLIMSOLL_INTERPOSED FILE* fopen(const char* path, const char* mode) {
  const bool creates = WouldCreateTemporary(path, mode);
  return EnteredFile(PLIMSOLL_NEXT(fopen)(path, mode), path, creates, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED FILE* fopen64(const char* path, const char* mode) {
  const bool creates = WouldCreateTemporary(path, mode);
  return EnteredFile(PLIMSOLL_NEXT(fopen64)(path, mode), path, creates, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED FILE* freopen(const char* path, const char* mode, FILE* stream) {
  const int before = DescriptorOf(stream);
  return Reopened(PLIMSOLL_NEXT(freopen)(path, mode, stream), before, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED FILE* freopen64(const char* path, const char* mode, FILE* stream) {
  const int before = DescriptorOf(stream);
  return Reopened(PLIMSOLL_NEXT(freopen64)(path, mode, stream), before, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED FILE* tmpfile() { return Entered(PLIMSOLL_NEXT(tmpfile)(), PLIMSOLL_FRAME); }

PLIMSOLL_INTERPOSED FILE* tmpfile64() {
  return Entered(PLIMSOLL_NEXT(tmpfile64)(), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int fclose(FILE* stream) {
  LeaveDescriptor(DescriptorOf(stream));
  return PLIMSOLL_NEXT(fclose)(stream);
}

PLIMSOLL_INTERPOSED FILE* popen(const char* command, const char* mode) {
  return Entered(PLIMSOLL_NEXT(popen)(command, mode), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int pclose(FILE* stream) {
  LeaveDescriptor(DescriptorOf(stream));
  return PLIMSOLL_NEXT(pclose)(stream);
}

PLIMSOLL_INTERPOSED DIR* opendir(const char* path) {
  DIR* folder = PLIMSOLL_NEXT(opendir)(path);
  EnterDescriptor(DescriptorOf(folder), PLIMSOLL_FRAME);
  return folder;
}

PLIMSOLL_INTERPOSED int closedir(DIR* folder) {
  LeaveDescriptor(DescriptorOf(folder));
  return PLIMSOLL_NEXT(closedir)(folder);
}
