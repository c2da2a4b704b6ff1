#include "harness/probe/process_probe.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "harness/probe/proc_text.h"

// glibc before 2.33 has no mallinfo2, and mallinfo's 32 bits are not worth reading.
#pragma weak mallinfo2

namespace plimsoll {
namespace {

// A program's errno is not ours to change.
class KeepErrno {
 public:
  KeepErrno() : saved_(errno) {}
  ~KeepErrno() { errno = saved_; }

 private:
  const int saved_;
};

const void* ObjectOf(const void* address) {
  Dl_info info;
  return address != nullptr && dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

// jemalloc and others leave glibc's mallinfo2 in place, where it tells of a heap that
// nobody uses.
bool IsGlibcMalloc(const void* malloc_entry) {
  const void* libc = ObjectOf(reinterpret_cast<const void*>(&gnu_get_libc_version));
  return libc != nullptr && mallinfo2 != nullptr && ObjectOf(malloc_entry) == libc &&
         ObjectOf(reinterpret_cast<const void*>(mallinfo2)) == libc;
}

}  // namespace

ProcessProbe ProcessProbe::ForSelf(const ProbeOptions& options) {
  ProcessProbe probe;
  probe.options_ = options;
  probe.self_ = true;
  probe.pid_ = getpid();
  probe.Open();
  return probe;
}

ProcessProbe ProcessProbe::ForPid(pid_t pid, const ProbeOptions& options) {
  ProcessProbe probe;
  probe.options_ = options;
  probe.pid_ = pid;
  probe.Open();
  return probe;
}

void ProcessProbe::Open() {
  const KeepErrno keep;
  char path[32] = "/proc/self";
  if (!self_) {
    char digits[16];
    size_t count = 0;
    for (pid_t rest = pid_; rest > 0; rest /= 10)
      digits[count++] = static_cast<char>('0' + rest % 10);
    size_t size = sizeof("/proc/") - 1;
    while (count > 0) path[size++] = digits[--count];
    path[size] = '\0';
  }
  hwm_was_reset_ = false;
  if (!folder_.Open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)) return;
  status_.Open(folder_.fd(), "status", O_RDONLY);
  descriptors_.Open(folder_.fd(), "fd", O_RDONLY | O_DIRECTORY);
  if (options_.reset_hwm) clear_refs_.Open(folder_.fd(), "clear_refs", O_WRONLY);
  cgroup_.Open(folder_.fd());
  if (self_) {
    rollup_.Open(folder_.fd(), "smaps_rollup", O_RDONLY);
    maps_.Open(folder_.fd(), "maps", O_RDONLY);
    const void* entry = options_.malloc_entry;
    malloc_is_glibc_ = IsGlibcMalloc(entry ? entry : reinterpret_cast<const void*>(&malloc));
  } else {
    stat_.Open(folder_.fd(), "stat", O_RDONLY);
  }
}

ProcessCounters ProcessProbe::Sample(SampleLevel level) {
  const KeepErrno keep;
  ProcessCounters counters;
  // /proc/self names whoever opened it: after fork these files would tell of the parent.
  // A program that closed every descriptor it found closed ours.
  if (self_ && (getpid() != pid_ || !status_.Intact())) {
    pid_ = getpid();
    Open();
  }
  SampleStatus(counters);
  SampleFaults(counters);
  if (level == SampleLevel::kEveryIteration) return counters;
  SampleRollup(counters);
  SampleMappings(counters);
  SampleDescriptors(counters);
  SampleMalloc(counters);
  cgroup_.Sample(counters);
  return counters;
}

int ProcessProbe::held() const {
  return folder_.Intact() + status_.Intact() + stat_.Intact() + clear_refs_.Intact() +
         rollup_.Intact() + maps_.Intact() + descriptors_.Intact() + cgroup_.held();
}

void ProcessProbe::SampleStatus(ProcessCounters& counters) {
  status_.ForEachLine([&](std::string_view line) { EnterStatusLine(line, counters); });
  counters.hwm_is_per_iteration = hwm_was_reset_ && counters.hwm_bytes.has_value();
  // "5" resets the high-water mark to the present RSS, and nothing else.
  hwm_was_reset_ = clear_refs_.Intact() && clear_refs_.Write("5", 1);
}

void ProcessProbe::SampleFaults(ProcessCounters& counters) {
  if (self_) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    counters.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
    counters.major_faults = static_cast<uint64_t>(usage.ru_majflt);
    return;
  }
  stat_.ForEachLine([&](std::string_view line) { EnterStat(line, counters); });
}

void ProcessProbe::SampleRollup(ProcessCounters& counters) {
  // Opened, this file holds on to one address space; an exec gives another.
  if (!self_ && !rollup_.Open(folder_.fd(), "smaps_rollup", O_RDONLY)) return;
  rollup_.ForEachLine([&](std::string_view line) { EnterRollupLine(line, counters); });
}

void ProcessProbe::SampleMappings(ProcessCounters& counters) {
  if (!self_ && !maps_.Open(folder_.fd(), "maps", O_RDONLY)) return;
  uint64_t lines = 0;
  if (maps_.ForEachLine([&](std::string_view) { ++lines; }) && lines != 0) {
    counters.mappings = lines;
  }
}

void ProcessProbe::SampleDescriptors(ProcessCounters& counters) {
  struct stat directory;
  if (!descriptors_.Intact() || fstat(descriptors_.fd(), &directory) != 0) return;
  // Since Linux 6.2 the size of this directory is the count; before, it is 0.
  counters.descriptors = directory.st_size > 0 ? Count(static_cast<uint64_t>(directory.st_size))
                                               : descriptors_.CountEntries();
  if (self_ && counters.descriptors) *counters.descriptors -= static_cast<uint64_t>(held());
}

void ProcessProbe::SampleMalloc(ProcessCounters& counters) {
  if (!malloc_is_glibc_) return;
  const struct mallinfo2 heap = mallinfo2();
  counters.malloc_in_use_bytes = heap.uordblks + heap.hblkhd;
  counters.malloc_free_bytes = heap.fordblks;
  counters.malloc_mapped_bytes = heap.arena + heap.hblkhd;
}

}  // namespace plimsoll
