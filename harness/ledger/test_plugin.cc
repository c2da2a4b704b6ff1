// A plugin that leaks a block when told to. PADDING moves its code, so that two builds of
// it loaded at the same address call from different places.

#include <stdlib.h>

extern "C" __attribute__((visibility("default"))) void* PluginLeak(size_t size) {
#ifdef PADDING
  __asm__ volatile(".skip 64, 0x90");
#endif
  void* block = malloc(size);
  __asm__ volatile("" : "+r"(block));
  return block;
}
