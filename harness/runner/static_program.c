/* A program that nothing can be preloaded into: it keeps a touched page in each iteration and
 * ends it with a byte to the descriptor it is told. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* name = getenv("PLIMSOLL_MARK_FD");
  const int descriptor = name ? atoi(name) : -1;
  const long iterations = argc > 1 ? atol(argv[1]) : 100;
  const size_t kept = argc > 2 ? (size_t)atol(argv[2]) : 4096;
  for (long i = 0; i < iterations; ++i) {
    if (kept > 0) memset(malloc(kept), 1, kept);
    usleep(500);
    if (descriptor >= 0 && write(descriptor, ".", 1) != 1) return 1;
  }
  return 0;
}
