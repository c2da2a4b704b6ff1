#ifndef HARNESS_PROBE_CGROUP_H_
#define HARNESS_PROBE_CGROUP_H_

// Memory in use, and its peak, of the control group a process runs in: version 1, 2
// or both mounted side by side. One thread at a time. Neither allocates nor needs the
// C++ run-time library.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "harness/probe/held_file.h"
#include "harness/sample.h"

namespace plimsoll {

// Finds the folder of a process's memory control group from the lines of its `cgroup`
// file, then those of its `mountinfo` file.
class CgroupFinder {
 public:
  enum class Version : uint8_t { kNone, kV1, kV2 };

  // A line of /proc/<pid>/cgroup: "4:memory:/a/b" (v1) or "0::/a/b" (v2).
  void EnterCgroupLine(std::string_view line);

  // A line of /proc/<pid>/mountinfo; only after every line of `cgroup`.
  void EnterMountLine(std::string_view line);

  // v1 when the memory controller is mounted there, else v2.
  Version version() const;

  // The group's folder; empty when there is none or its name is too long.
  std::string_view folder() const;

 private:
  struct Path {
    char text[1024];
    size_t size = 0;
    bool found = false;

    bool Append(std::string_view part);
    bool AppendUnescaped(std::string_view part);  // \040 and the like of mountinfo
    std::string_view view() const { return {text, size}; }
  };

  Path group_v1_, group_v2_;    // below the hierarchy's root
  Path folder_v1_, folder_v2_;  // in the file system
};

// Holds the two files of one process's control group.
class CgroupMemory {
 public:
  constexpr CgroupMemory() = default;

  // `process` is a descriptor of /proc/<pid>, or of /proc/self. A process that is moved
  // to another group later is not followed.
  void Open(int process);
  void Close();

  // Descriptors held now.
  int held() const { return current_.Intact() + peak_.Intact(); }

  // Fills cgroup_current_bytes and cgroup_peak_bytes. The root group has neither;
  // memory.peak came to version 2 with Linux 5.19.
  void Sample(ProcessCounters& counters) const;

 private:
  HeldFile current_;
  HeldFile peak_;
};

}  // namespace plimsoll

#endif  // HARNESS_PROBE_CGROUP_H_
