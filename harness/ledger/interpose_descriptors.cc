// Descriptors from system calls: open, socket, pipe, dup, epoll … and close.

#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgets the linkage
}

#include "harness/ledger/interpose.h"
#include "harness/ledger/interpose_names.h"

using plimsoll::ledger::EnterDescriptor;
using plimsoll::ledger::EnterFileName;
using plimsoll::ledger::LeaveDescriptor;
using plimsoll::ledger::LeaveDescriptors;
using plimsoll::ledger::WouldCreateTemporary;

// Standing in for a function without a prototype of its own (fortified code calls them).
extern "C" {
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int folder, const char* path, int flags);
int __openat64_2(int folder, const char* path, int flags);
}

namespace {

inline int Entered(int descriptor, const void* frame) {
  EnterDescriptor(descriptor, frame);
  return descriptor;
}

inline int EnteredFile(int descriptor, const char* path, bool created, const void* frame) {
  if (descriptor >= 0 && created) EnterFileName(path, frame);
  return Entered(descriptor, frame);
}

inline int EnteredPair(int error, const int descriptors[2], const void* frame) {
  if (error == 0) {
    EnterDescriptor(descriptors[0], frame);
    EnterDescriptor(descriptors[1], frame);
  }
  return error;
}

// The third argument of open, when there is one.
#define PLIMSOLL_OPEN_MODE(flags)                                   \
  mode_t mode = 0;                                                  \
  if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) { \
    va_list arguments;                                              \
    va_start(arguments, flags);                                     \
    mode = va_arg(arguments, mode_t);                               \
    va_end(arguments);                                              \
  }

}  // namespace

PLIMSOLL_INTERPOSED int open(const char* path, int flags, ...) {
  PLIMSOLL_OPEN_MODE(flags)
  const bool creates = WouldCreateTemporary(path, flags);
  return EnteredFile(PLIMSOLL_NEXT(open)(path, flags, mode), path, creates, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int open64(const char* path, int flags, ...) {
  PLIMSOLL_OPEN_MODE(flags)
  const bool creates = WouldCreateTemporary(path, flags);
  return EnteredFile(PLIMSOLL_NEXT(open64)(path, flags, mode), path, creates, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int openat(int folder, const char* path, int flags, ...) {
  PLIMSOLL_OPEN_MODE(flags)
  const bool creates = folder == AT_FDCWD && WouldCreateTemporary(path, flags);
  return EnteredFile(PLIMSOLL_NEXT(openat)(folder, path, flags, mode), path, creates,
                     PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int openat64(int folder, const char* path, int flags, ...) {
  PLIMSOLL_OPEN_MODE(flags)
  const bool creates = folder == AT_FDCWD && WouldCreateTemporary(path, flags);
  return EnteredFile(PLIMSOLL_NEXT(openat64)(folder, path, flags, mode), path, creates,
                     PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int __open_2(const char* path, int flags) {
  return Entered(PLIMSOLL_NEXT(__open_2)(path, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int __open64_2(const char* path, int flags) {
  return Entered(PLIMSOLL_NEXT(__open64_2)(path, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int __openat_2(int folder, const char* path, int flags) {
  return Entered(PLIMSOLL_NEXT(__openat_2)(folder, path, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int __openat64_2(int folder, const char* path, int flags) {
  return Entered(PLIMSOLL_NEXT(__openat64_2)(folder, path, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int creat(const char* path, mode_t mode) {
  const bool creates = WouldCreateTemporary(path, O_CREAT);
  return EnteredFile(PLIMSOLL_NEXT(creat)(path, mode), path, creates, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int creat64(const char* path, mode_t mode) {
  const bool creates = WouldCreateTemporary(path, O_CREAT);
  return EnteredFile(PLIMSOLL_NEXT(creat64)(path, mode), path, creates, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int socket(int domain, int type, int protocol) noexcept {
  return Entered(PLIMSOLL_NEXT(socket)(domain, type, protocol), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int socketpair(int domain, int type, int protocol, int pair[2]) noexcept {
  return EnteredPair(PLIMSOLL_NEXT(socketpair)(domain, type, protocol, pair), pair, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int accept(int listener, sockaddr* address, socklen_t* length) {
  return Entered(PLIMSOLL_NEXT(accept)(listener, address, length), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  return Entered(PLIMSOLL_NEXT(accept4)(listener, address, length, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int pipe(int ends[2]) noexcept {
  return EnteredPair(PLIMSOLL_NEXT(pipe)(ends), ends, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int pipe2(int ends[2], int flags) noexcept {
  return EnteredPair(PLIMSOLL_NEXT(pipe2)(ends, flags), ends, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int dup(int descriptor) noexcept {
  return Entered(PLIMSOLL_NEXT(dup)(descriptor), PLIMSOLL_FRAME);
}

// Onto itself, dup2 does nothing.
PLIMSOLL_INTERPOSED int dup2(int descriptor, int target) noexcept {
  const int result = PLIMSOLL_NEXT(dup2)(descriptor, target);
  return descriptor == target ? result : Entered(result, PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int dup3(int descriptor, int target, int flags) noexcept {
  return Entered(PLIMSOLL_NEXT(dup3)(descriptor, target, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const int result = PLIMSOLL_NEXT(fcntl)(descriptor, command, argument);
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? Entered(result, PLIMSOLL_FRAME)
                                                          : result;
}

PLIMSOLL_INTERPOSED int fcntl64(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const int result = PLIMSOLL_NEXT(fcntl64)(descriptor, command, argument);
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? Entered(result, PLIMSOLL_FRAME)
                                                          : result;
}

PLIMSOLL_INTERPOSED int eventfd(unsigned count, int flags) noexcept {
  return Entered(PLIMSOLL_NEXT(eventfd)(count, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int epoll_create(int size) noexcept {
  return Entered(PLIMSOLL_NEXT(epoll_create)(size), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int epoll_create1(int flags) noexcept {
  return Entered(PLIMSOLL_NEXT(epoll_create1)(flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int timerfd_create(clockid_t clock, int flags) noexcept {
  return Entered(PLIMSOLL_NEXT(timerfd_create)(clock, flags), PLIMSOLL_FRAME);
}

// With a descriptor of its own it only changes the mask.
PLIMSOLL_INTERPOSED int signalfd(int descriptor, const sigset_t* mask, int flags) noexcept {
  const int result = PLIMSOLL_NEXT(signalfd)(descriptor, mask, flags);
  return descriptor == -1 ? Entered(result, PLIMSOLL_FRAME) : result;
}

PLIMSOLL_INTERPOSED int inotify_init() noexcept {
  return Entered(PLIMSOLL_NEXT(inotify_init)(), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int inotify_init1(int flags) noexcept {
  return Entered(PLIMSOLL_NEXT(inotify_init1)(flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int fanotify_init(unsigned flags, unsigned event_flags) noexcept {
  return Entered(PLIMSOLL_NEXT(fanotify_init)(flags, event_flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int memfd_create(const char* name, unsigned flags) noexcept {
  return Entered(PLIMSOLL_NEXT(memfd_create)(name, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int pidfd_open(pid_t process, unsigned flags) noexcept {
  return Entered(PLIMSOLL_NEXT(pidfd_open)(process, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int pidfd_getfd(int process, int target, unsigned flags) noexcept {
  return Entered(PLIMSOLL_NEXT(pidfd_getfd)(process, target, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int open_by_handle_at(int mount, file_handle* handle, int flags) {
  return Entered(PLIMSOLL_NEXT(open_by_handle_at)(mount, handle, flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int posix_openpt(int flags) {
  return Entered(PLIMSOLL_NEXT(posix_openpt)(flags), PLIMSOLL_FRAME);
}

PLIMSOLL_INTERPOSED int mq_close(mqd_t queue) noexcept {
  LeaveDescriptor(queue);
  return PLIMSOLL_NEXT(mq_close)(queue);
}

// Before the call: afterwards another thread may get the number. A close that fails has
// released it all the same, or it was not open.
PLIMSOLL_INTERPOSED int close(int descriptor) {
  LeaveDescriptor(descriptor);
  return PLIMSOLL_NEXT(close)(descriptor);
}

PLIMSOLL_INTERPOSED int close_range(unsigned first, unsigned last, int flags) noexcept {
  const int error = PLIMSOLL_NEXT(close_range)(first, last, flags);
  if (error == 0 && (flags & CLOSE_RANGE_CLOEXEC) == 0) LeaveDescriptors(first, last);
  return error;
}

PLIMSOLL_INTERPOSED void closefrom(int first) noexcept {
  LeaveDescriptors(first < 0 ? 0 : static_cast<unsigned>(first), ~0u);
  PLIMSOLL_NEXT(closefrom)(first);
}

// Descriptors passed from another process.
namespace {

void EnterPassed(const msghdr* message, const void* frame) {
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(message), part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      EnterDescriptor(descriptor, frame);
    }
  }
}

}  // namespace

PLIMSOLL_INTERPOSED ssize_t recvmsg(int socket, msghdr* message, int flags) {
  const ssize_t result = PLIMSOLL_NEXT(recvmsg)(socket, message, flags);
  if (result >= 0 && message->msg_controllen != 0) EnterPassed(message, PLIMSOLL_FRAME);
  return result;
}
