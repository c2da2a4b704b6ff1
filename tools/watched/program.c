/* A C program to watch: argv[1] says what it keeps in each iteration and how it marks them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/client.h"

static void* volatile kept;
static volatile sig_atomic_t ending;

static void End(int signal) {
  (void)signal;
  ending = 1;
}

__attribute__((noinline)) static void KeepATensor(void) {
  kept = malloc(96);
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void UseATensor(void) {
  void* volatile tensor = malloc(96);
  free(tensor);
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "clean";
  const char* mark = argc > 2 ? argv[2] : "client";
  const long iterations = argc > 3 ? atol(argv[3]) : 400;
  const int status = argc > 4 ? atoi(argv[4]) : 0;
  signal(SIGTERM, End);
  signal(SIGUSR1, End);
  if (strcmp(mark, "burst") == 0) {
    /* Many at once, several times, before any work is done. */
    static char lines[300 * 10];
    for (int i = 0; i < 300; ++i) memcpy(lines + i * 10, "step done\n", 10);
    for (int i = 0; i < 10; ++i) {
      fwrite(lines, 1, sizeof lines, stdout);
      fflush(stdout);
      usleep(20000);
    }
    mark = "line";
  }
  for (long i = 0; !ending && (iterations == 0 || i < iterations); ++i) {
    if (strcmp(what, "leak") == 0) KeepATensor();
    UseATensor();
    if (strcmp(what, "crash") == 0 && i == 20) abort();
    if (strcmp(mark, "client") == 0) plimsoll_iteration_end();
    if (strcmp(mark, "line") == 0) printf("step %ld done\n", i);
    if (strcmp(mark, "client") != 0) usleep(500);
    if (iterations == 0) usleep(1000);
  }
  if (ending) printf("ended by a signal\n");
  return status;
}
