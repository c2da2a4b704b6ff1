#include "harness/ledger/own_memory.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace plimsoll::ledger {
namespace {

std::atomic<int64_t> own_bytes{0};

// The kernel's answer as it is: no errno is touched, for the caller may be inside malloc.
inline long RawSyscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                       long f = 0) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

}  // namespace

void* MapOwn(size_t bytes) {
  const long result = RawSyscall(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (result < 0 && result > -static_cast<long>(kPageBytes)) return nullptr;
  RawSyscall(SYS_madvise, result, static_cast<long>(bytes), MADV_NOHUGEPAGE);
  return reinterpret_cast<void*>(result);
}

void UnmapOwn(void* address, size_t bytes) {
  RawSyscall(SYS_munmap, reinterpret_cast<long>(address), static_cast<long>(bytes));
}

void AddOwnBytes(int64_t bytes) { own_bytes.fetch_add(bytes, std::memory_order_relaxed); }

uint64_t TouchedOwnBytes() {
  const int64_t bytes = own_bytes.load(std::memory_order_relaxed);
  return bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

int KernelProcessId() { return static_cast<int>(RawSyscall(SYS_getpid)); }

void SpinLock::Lock() {
  for (int turn = 0; locked_.exchange(1, std::memory_order_acquire) != 0; ++turn) {
    while (locked_.load(std::memory_order_relaxed) != 0) {
      if (++turn > 64) RawSyscall(SYS_sched_yield);
      __builtin_ia32_pause();
    }
  }
}

}  // namespace plimsoll::ledger
