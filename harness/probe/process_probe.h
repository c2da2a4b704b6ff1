#ifndef HARNESS_PROBE_PROCESS_PROBE_H_
#define HARNESS_PROBE_PROCESS_PROBE_H_

// Samples what the kernel and the C library say of this process, or of another one.
// One thread at a time. It lives inside a preloaded object in every kind of program:
// nothing here allocates, throws, changes errno, goes through an interposed open or
// close, or needs the C++ run-time library.

#include <sys/types.h>

#include <cstdint>

#include "harness/probe/cgroup.h"
#include "harness/probe/held_file.h"
#include "harness/sample.h"

namespace plimsoll {

enum class SampleLevel : uint8_t {
  // RSS and its parts, high-water mark, virtual size, swap, threads, faults: 3 to 5 µs.
  kEveryIteration,
  // Also PSS and private dirty, descriptors, mappings, control group and mallinfo2:
  // grows with the number of mappings (10 µs to a millisecond), and, before Linux 6.2,
  // of descriptors.
  kFull,
};

struct ProbeOptions {
  // Reset the high-water mark after each sample (/proc/<pid>/clear_refs, Linux 4.0), so
  // that the next sample's is the peak in between. The process itself then sees the same
  // lowered ru_maxrss.
  bool reset_hwm = true;

  // The malloc that the program's blocks come from, when this object sees an interposer
  // that stands before it. nullptr: the malloc this object sees. mallinfo2 is read only
  // when it is glibc's own.
  const void* malloc_entry = nullptr;
};

class ProcessProbe {
 public:
  // Samples nothing: every value is absent.
  constexpr ProcessProbe() = default;

  // Opens the files of the calling process. After fork, the child's first sample opens
  // the child's own. Do not sample between vfork and exec.
  static ProcessProbe ForSelf(const ProbeOptions& options = {});

  // Opens the files of another process, through and after its exec. Absent is what the
  // permissions of ptrace do not allow (see proc(5)), and everything once it was reaped;
  // a later process with the same number is never mistaken for it. mallinfo2 is absent.
  static ProcessProbe ForPid(pid_t pid, const ProbeOptions& options = {});

  // Every value that the level names and the system tells. RSS is approximate on Linux
  // 6.2 to 6.16 (per-CPU counters, off by up to some hundred KiB per CPU). Descriptors
  // do not include the probe's own.
  ProcessCounters Sample(SampleLevel level);

  // Descriptors held now.
  int held() const;

 private:
  void Open();
  void SampleStatus(ProcessCounters& counters);
  void SampleFaults(ProcessCounters& counters);
  void SampleRollup(ProcessCounters& counters);
  void SampleMappings(ProcessCounters& counters);
  void SampleDescriptors(ProcessCounters& counters);
  void SampleMalloc(ProcessCounters& counters);

  ProbeOptions options_;
  pid_t pid_ = 0;      // whose files are held
  bool self_ = false;  // the calling process
  bool hwm_was_reset_ = false;
  bool malloc_is_glibc_ = false;
  HeldFile folder_;  // /proc/<pid>
  HeldFile status_;
  HeldFile stat_;  // of another process only
  HeldFile clear_refs_;
  HeldFile rollup_;
  HeldFile maps_;
  HeldFile descriptors_;
  CgroupMemory cgroup_;
};

}  // namespace plimsoll

#endif  // HARNESS_PROBE_PROCESS_PROBE_H_
