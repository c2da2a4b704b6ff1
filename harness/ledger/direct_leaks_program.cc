// Leaks for direct_leaks_test; a report of LeakSanitizer goes to the file named.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

// So that no old pointer is left on the stack for a checker to find.
__attribute__((noinline)) void Overwrite() {
  char room[16384];
  memset(room, 0, sizeof room);
  __asm__ volatile("" : : "r"(room) : "memory");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int report = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (report < 0) return 2;
  for (uint32_t iteration = 1; iteration <= 5; ++iteration) {
    if (iteration % 2 == 1) LeakSixtyFour();
    if (iteration == 4) LeakList();
    Overwrite();
    if (!plimsoll::ledger::CheckDirectLeaks(iteration, report)) return 3;
  }
  // Not through exit: LeakSanitizer would find them again and make it fail.
  _exit(0);
}
