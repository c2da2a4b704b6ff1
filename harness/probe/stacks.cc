#include "harness/probe/stacks.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <string_view>

#include "harness/probe/held_file.h"

namespace plimsoll {
namespace {

constexpr size_t kMostThreads = 512;

struct Pointers {
  uint64_t at[kMostThreads];
  size_t count = 0;

  void Add(uint64_t pointer) {
    if (count < kMostThreads) at[count++] = pointer;
  }
  bool AnyIn(uint64_t start, uint64_t end) const {
    for (size_t i = 0; i < count; ++i) {
      if (at[i] >= start && at[i] < end) return true;
    }
    return false;
  }
};

// From "NUMBER ARGUMENTS... SP PC" of a thread that is in a system call, "-1 SP PC" of one
// that is blocked otherwise, or "running": 0 then.
uint64_t StackPointer(const char* thread) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%.20s/syscall", thread);
  HeldFile file;
  if (!file.Open(AT_FDCWD, path, O_RDONLY)) return 0;
  char text[256];
  const ssize_t size = file.Read(text, sizeof text - 1);
  if (size <= 0) return 0;
  text[size] = '\0';
  const char* last = strrchr(text, ' ');
  if (last == nullptr) return 0;
  const char* begin = last;
  while (begin > text && begin[-1] != ' ') --begin;
  return strtoull(begin, nullptr, 16);
}

void FindPointers(Pointers& pointers) {
  pointers.Add(reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
  DIR* threads = opendir("/proc/self/task");
  if (threads == nullptr) return;
  while (const dirent* entry = readdir(threads)) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid()) continue;
    if (const uint64_t pointer = StackPointer(entry->d_name); pointer != 0) pointers.Add(pointer);
  }
  closedir(threads);
}

}  // namespace

Count ResidentStackBytes() {
  Pointers pointers;
  FindPointers(pointers);
  HeldFile smaps;
  if (!smaps.Open(AT_FDCWD, "/proc/self/smaps", O_RDONLY)) return std::nullopt;
  uint64_t bytes = 0;
  bool counts = false;
  const bool read = smaps.ForEachLine([&](std::string_view line) {
    constexpr std::string_view kRss = "Rss:";
    if (line.substr(0, kRss.size()) == kRss) {
      line.remove_prefix(kRss.size());
      while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
      if (counts) bytes += TakeNumber(line).value_or(0) * 1024;
      return;
    }
    // "7ffd0000-7ffd2000 rw-p …" opens a mapping; its fields begin with a capital letter.
    if (line.empty() || (line.front() >= 'A' && line.front() <= 'Z')) return;
    char* end = nullptr;
    char range[40] = {};
    memcpy(range, line.data(), line.size() < sizeof range ? line.size() : sizeof range - 1);
    const uint64_t first = strtoull(range, &end, 16);
    counts = *end == '-' && pointers.AnyIn(first, strtoull(end + 1, nullptr, 16));
  });
  return read ? Count(bytes) : std::nullopt;
}

}  // namespace plimsoll
