#include "harness/probe/arenas.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <initializer_list>

namespace plimsoll {
namespace {

// The number in `name="…"` before `end`, 0 when there is none.
uint64_t Attribute(const char* from, const char* end, const char* name) {
  const char* found = strstr(from, name);
  if (found == nullptr || found >= end) return 0;
  return strtoull(found + strlen(name), nullptr, 10);
}

}  // namespace

size_t ParseMallocInfo(const char* xml, MallocArena* arenas, size_t capacity) {
  size_t count = 0;
  const char* heap = strstr(xml, "<heap nr=");
  for (; heap != nullptr && count < capacity; heap = strstr(heap + 1, "<heap nr=")) {
    const char* end = strstr(heap, "</heap>");
    if (end == nullptr) break;
    MallocArena arena;
    for (const char* total : {"<total type=\"fast\"", "<total type=\"rest\""}) {
      const char* found = strstr(heap, total);
      if (found != nullptr && found < end) arena.free_bytes += Attribute(found, end, " size=\"");
    }
    if (const char* system = strstr(heap, "<system type=\"current\"");
        system != nullptr && system < end) {
      arena.system_bytes = Attribute(system, end, " size=\"");
    }
    arenas[count++] = arena;
  }
  return count;
}

size_t ReadMallocArenas(MallocArena* arenas, size_t capacity) {
  char* text = nullptr;
  size_t size = 0;
  FILE* stream = open_memstream(&text, &size);
  if (stream == nullptr) return 0;
  const int failed = malloc_info(0, stream);
  const bool whole = fclose(stream) == 0 && failed == 0;
  const size_t count = whole ? ParseMallocInfo(text, arenas, capacity) : 0;
  free(text);
  return count;
}

}  // namespace plimsoll
