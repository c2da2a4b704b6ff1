// A plugin that leaks a block when told to. Built twice: loaded at the same address, both
// call from the same place.

#include <stdlib.h>

extern "C" __attribute__((visibility("default"))) void* PluginLeak(size_t size) {
  void* block = malloc(size);
  __asm__ volatile("" : "+r"(block));
  return block;
}
