#ifndef HARNESS_PROBE_PROC_TEXT_H_
#define HARNESS_PROBE_PROC_TEXT_H_

// What the lines of /proc/<pid>/{status,smaps_rollup,stat} mean, from any kernel.
// Thread-safe: pure functions that neither allocate nor need the C++ run-time library.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/sample.h"

namespace plimsoll {

// Reads a decimal number at the front of `text` and moves past it. Absent, with
// `text` as it was, when there is none or it exceeds 64 bits.
std::optional<uint64_t> TakeNumber(std::string_view& text);

// Enters one line of /proc/<pid>/status (without its newline) if it names a counter
// that ProcessCounters has; leaves other lines alone. Kilobytes there are 1024 B.
// RssAnon, RssFile and RssShmem came with Linux 4.5, VmSwap with 2.6.34; zombies and
// kernel threads have no Vm lines at all.
void EnterStatusLine(std::string_view line, ProcessCounters& counters);

// The same for /proc/<pid>/smaps_rollup (Linux 4.14): Pss and Private_Dirty.
void EnterRollupLine(std::string_view line, ProcessCounters& counters);

// Enters minor and major faults (fields 10 and 12) from /proc/<pid>/stat. The command
// in field 2 may hold spaces and parentheses.
void EnterStat(std::string_view text, ProcessCounters& counters);

// Splits chunks of text as they are read into lines for `enter(std::string_view)`.
// A line longer than the buffer is passed on cut to the buffer's size, once.
class LineSplitter {
 public:
  // The buffer that a read may fill, which follows what is left of the last line.
  char* space() { return buffer_ + used_; }
  size_t space_size() const { return sizeof(buffer_) - used_; }

  // Takes `size` bytes written at space() and passes on every complete line.
  template <typename Enter>
  void Take(size_t size, Enter&& enter) {
    const size_t end = used_ + size;
    const std::string_view filled(buffer_, end);
    size_t begin = 0;
    for (size_t newline = filled.find('\n', used_); newline != std::string_view::npos;
         newline = filled.find('\n', begin)) {
      if (!skipping_) enter(std::string_view(buffer_ + begin, newline - begin));
      skipping_ = false;
      begin = newline + 1;
    }
    used_ = end - begin;
    if (used_ == sizeof(buffer_)) {
      if (!skipping_) enter(std::string_view(buffer_, used_));
      skipping_ = true;
      used_ = 0;
    } else if (begin != 0) {
      for (size_t i = 0; i < used_; ++i) buffer_[i] = buffer_[begin + i];
    }
  }

  // Passes on a last line that no newline ended.
  template <typename Enter>
  void Finish(Enter&& enter) {
    if (used_ != 0 && !skipping_) enter(std::string_view(buffer_, used_));
    used_ = 0;
    skipping_ = false;
  }

 private:
  // The kernel hands out at most a page of a /proc file in one read.
  char buffer_[4096];
  size_t used_ = 0;
  bool skipping_ = false;
};

}  // namespace plimsoll

#endif  // HARNESS_PROBE_PROC_TEXT_H_
