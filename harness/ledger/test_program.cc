// A program that knows nothing of the ledger and leaves things held, for preload_test.

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace {

void* kept[64];

void Keep(void* block) {
  static int used = 0;
  kept[used++] = block;
  __asm__ volatile("" : : "r"(&kept) : "memory");
}

void* Idle(void*) { return nullptr; }

}  // namespace

int main() {
  for (int i = 0; i < 10; ++i) Keep(malloc(1000));
  for (int i = 0; i < 3; ++i) Keep(new char[7]);
  Keep(realloc(malloc(5), 50000));
  Keep(calloc(10, 10));
  Keep(memalign(256, 300));
  for (int i = 0; i < 1000; ++i) free(malloc(static_cast<size_t>(i)));
  for (int i = 0; i < 5; ++i) open("/dev/null", O_RDONLY);
  close(open("/dev/null", O_RDONLY));
  Keep(mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  pthread_t thread;
  if (pthread_create(&thread, nullptr, &Idle, nullptr) != 0) return 2;
  volatile size_t too_much = static_cast<size_t>(-1) / 2;
  try {
    Keep(::operator new(too_much));
    return 3;
  } catch (const std::bad_alloc&) {
  }
  // 10 * 1000 + 3 * 7 + 50000 + 100 + 300 bytes in 16 blocks.
  puts("survived");
  return 0;
}
