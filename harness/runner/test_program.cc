// A case for parent_test: iterates, and goes wrong in the way that its argument names.

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "harness/client.h"

namespace {

void* volatile kept = nullptr;

__attribute__((noinline)) void KeepABlock() {
  kept = std::malloc(48);
  asm volatile("" ::: "memory");
}

// Out of the ledger's sight: no function that it interposes is called.
void MapRaw() {
  const long pages = syscall(SYS_mmap, nullptr, size_t{8192}, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages != -1) std::memset(reinterpret_cast<void*>(pages), 1, 8192);
}

// Nothing points to it when the function is left.
__attribute__((noinline)) void LoseABlock() {
  void* block = std::malloc(40);
  asm volatile("" : : "r"(block) : "memory");
}

int Iteration(const std::string& what, int i) {
  if (what == "lose") LoseABlock();
  if (what == "raw") MapRaw();
  if (what == "leak") KeepABlock();
  if (i < 10) return 0;
  if (what == "crash") {
    std::fprintf(stderr, "about to crash\n");
    raise(SIGSEGV);
  }
  if (what == "exit") std::exit(3);
  if (what == "hang") pause();
  if (what == "quit") std::exit(0);
  if (what == "kill") raise(SIGKILL);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "silent") return 0;
  int i = 0;
  do {
    if (const int status = Iteration(what, i++); status != 0) return status;
    if (what == "slow") usleep(20000);
  } while (plimsoll_iteration_end() != 0);
  if (what == "teardown") {
    std::fprintf(stderr, "tear-down failed\n");
    return 4;
  }
  return 0;
}
