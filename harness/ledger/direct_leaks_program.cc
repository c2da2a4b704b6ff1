// Leaks for direct_leaks_test; a report of LeakSanitizer goes to the file named.

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/ledger/direct_leaks.h"

namespace {

struct Node {
  Node* next;
  char rest[40];
};

__attribute__((noinline)) void LeakSixtyFour() {
  void* block = malloc(64);
  __asm__ volatile("" : : "r"(block) : "memory");
}

__attribute__((noinline)) void LeakList() {
  auto* first = static_cast<Node*>(malloc(sizeof(Node)));
  first->next = static_cast<Node*>(malloc(sizeof(Node)));
  __asm__ volatile("" : : "r"(first) : "memory");
}

// In a thread that is gone: no old pointer is left on a stack or in a register for a checker
// to find.
void Elsewhere(void (*leak)()) {
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    reinterpret_cast<void (*)()>(argument)();
    return nullptr;
  };
  if (pthread_create(&thread, nullptr, run, reinterpret_cast<void*>(leak)) != 0) _exit(4);
  pthread_join(thread, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int report = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (report < 0) return 2;
  for (uint32_t iteration = 1; iteration <= 5; ++iteration) {
    if (iteration % 2 == 1) Elsewhere(LeakSixtyFour);
    if (iteration == 4) Elsewhere(LeakList);
    if (!plimsoll::ledger::CheckDirectLeaks(iteration, report)) return 3;
  }
  // Not through exit: LeakSanitizer would find them again and make it fail.
  _exit(0);
}
