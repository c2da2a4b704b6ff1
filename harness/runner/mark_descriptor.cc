#include "harness/runner/mark_descriptor.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

#include "harness/runner/agent.h"

namespace plimsoll {
namespace {

constinit std::atomic<int> mark_descriptor = -1;

}  // namespace

void TakeMarksFrom(int descriptor) { mark_descriptor.store(descriptor, std::memory_order_release); }

}  // namespace plimsoll

// A sanitizer interposes these itself; its builds carry no marks by descriptor.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(PLIMSOLL_LEAK_SANITIZER)

namespace plimsoll {
namespace {

bool IsMark(int descriptor) {
  return descriptor >= 0 && descriptor == mark_descriptor.load(std::memory_order_relaxed) &&
         plimsoll_agent_present() != 0;
}

void EndIterations(size_t count) {
  for (size_t i = 0; i < count; ++i) plimsoll_agent_iteration_end();
}

using WriteFunction = ssize_t (*)(int, const void*, size_t);
using WritevFunction = ssize_t (*)(int, const iovec*, int);
constinit WriteFunction next_write = nullptr;
constinit WritevFunction next_writev = nullptr;

// Before the first mark can be: the C library's functions are cancellation points, which a
// raw system call is not.
__attribute__((constructor)) void FindNext() {
  next_write = reinterpret_cast<WriteFunction>(dlsym(RTLD_NEXT, "write"));
  next_writev = reinterpret_cast<WritevFunction>(dlsym(RTLD_NEXT, "writev"));
}

}  // namespace
}  // namespace plimsoll

extern "C" __attribute__((visibility("default"))) ssize_t write(int descriptor, const void* data,
                                                                size_t size) {
  if (plimsoll::IsMark(descriptor)) {
    plimsoll::EndIterations(size);
    return static_cast<ssize_t>(size);
  }
  if (plimsoll::next_write == nullptr) return syscall(SYS_write, descriptor, data, size);
  return plimsoll::next_write(descriptor, data, size);
}

extern "C" __attribute__((visibility("default"))) ssize_t writev(int descriptor, const iovec* parts,
                                                                 int count) {
  if (plimsoll::IsMark(descriptor)) {
    size_t size = 0;
    for (int i = 0; i < count; ++i) size += parts[i].iov_len;
    plimsoll::EndIterations(size);
    return static_cast<ssize_t>(size);
  }
  if (plimsoll::next_writev == nullptr) return syscall(SYS_writev, descriptor, parts, count);
  return plimsoll::next_writev(descriptor, parts, count);
}

#endif
