#ifndef HARNESS_PROBE_HELD_FILE_H_
#define HARNESS_PROBE_HELD_FILE_H_

// A descriptor that is kept open inside somebody else's program: out of its way, out
// of the ledger's sight, and never mistaken for one of the program's own.
// One thread at a time. Neither allocates nor needs the C++ run-time library.

#include <sys/types.h>

#include <cstddef>

#include "harness/probe/proc_text.h"
#include "harness/sample.h"

namespace plimsoll {

class HeldFile {
 public:
  constexpr HeldFile() = default;
  HeldFile(HeldFile&& other) noexcept;
  HeldFile& operator=(HeldFile&& other) noexcept;
  HeldFile(const HeldFile&) = delete;
  HeldFile& operator=(const HeldFile&) = delete;
  ~HeldFile() { Close(); }

  // Opens `path` below the directory `directory` (or AT_FDCWD) close-on-exec, at a
  // number of 1000 or more where the limit on descriptors allows, so that the numbers
  // a program sees are those it would see without us. Closes what was held before.
  // False, and nothing held, when it cannot be opened.
  bool Open(int directory, const char* path, int flags);

  // Closes the descriptor if it is still ours.
  void Close();

  // Whether the descriptor is open and still the file that was opened. Programs that
  // close every descriptor they find (daemons do) close ours as well, and may since
  // have been given its number for a file of their own. Costs an fstat.
  bool Intact() const;

  // The descriptor, or -1.
  int fd() const { return fd_; }

  // Bytes read from the start of the file, or -1.
  ssize_t Read(void* buffer, size_t size, off_t offset = 0) const;

  // Writes at the current position. False when nothing, or not all, was written.
  bool Write(const void* data, size_t size) const;

  // The names in this directory that do not start with a dot; absent when it is none.
  Count CountEntries() const;

  // Reads the file from its start and passes each line on, without its newline.
  // False when the first read fails.
  template <typename Enter>
  bool ForEachLine(Enter&& enter) const {
    if (!Intact()) return false;
    LineSplitter splitter;
    off_t offset = 0;
    for (;;) {
      const ssize_t size = Read(splitter.space(), splitter.space_size(), offset);
      if (size <= 0) {
        splitter.Finish(enter);
        return offset != 0 || size == 0;
      }
      offset += size;
      splitter.Take(static_cast<size_t>(size), enter);
    }
  }

 private:
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace plimsoll

#endif  // HARNESS_PROBE_HELD_FILE_H_
