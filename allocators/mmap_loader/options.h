#ifndef ALLOCATORS_MMAP_LOADER_OPTIONS_H_
#define ALLOCATORS_MMAP_LOADER_OPTIONS_H_

// How weights are to be loaded, and the names of the choices in scripts and on the command
// line. Plain values.

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "allocators/mmap_loader/directory.h"
#include "base/error.h"

namespace plimsoll::weights {

enum class Mode : uint8_t {
  kAuto,     // ChooseMode decides, and says why
  kMmap,     // the file's own pages, shared with every process, read-only
  kPrivate,  // the file's pages, copied when written; never shared with another load
  kRead,     // read into memory, through the page cache, on several threads
  kDirect,   // read into memory past the page cache; falls back to kRead, and says so
};

enum class Prefetch : uint8_t {
  kNone,        // a page, or in the reading modes a tensor, when it is first used
  kPopulate,    // everything, before Open returns
  kWillNeed,    // ask the kernel to read ahead, and return
  kSequential,  // tell the kernel that pages are used in order, once
  kBackground,  // everything, on a thread, after Open returned
};

// What becomes of a tensor's pages when its last handle is dropped.
enum class OnDrop : uint8_t {
  kReturn,  // given back: they leave this process's resident set
  kEvict,   // and, as far as the kernel agrees, the page cache: not what others map
  kKeep,    // stay until the file is closed
};

enum class Lock : uint8_t {
  kNone,
  kTry,      // mlock each tensor while it is held; go on without where the limit is reached
  kRequire,  // an error where the limit is reached
};

enum class Numa : uint8_t {
  kNone,
  kInterleave,  // pages of the reading modes go to all nodes in turn
  kDistribute,  // each thread's pages to its own node: no prefetch, no read-ahead
};

struct LoadOptions {
  Mode mode = Mode::kAuto;
  std::optional<Format> format = {};  // absent: by name and first bytes
  Prefetch prefetch = Prefetch::kNone;
  OnDrop on_drop = OnDrop::kReturn;
  Lock lock = Lock::kNone;
  uint64_t lock_limit_bytes = UINT64_MAX;  // for all files of the loader together
  // 2 MiB pages. true: advised for all of the mapping; false: left to the system. Absent:
  // in the reading modes for the whole 2 MiB that a load fills, which cannot waste memory.
  std::optional<bool> huge_pages = {};
  Numa numa = Numa::kNone;
  bool guard = false;         // survive the SIGBUS of a file that shrinks: see FaultGuard
  bool verify = false;        // compare a tensor's checksum, where it has one, when acquired
  unsigned read_threads = 0;  // 0: one a processor, at most 8

  // OpenVINO's switch: true is mode kMmap, false is kRead.
  LoadOptions& EnableMmap(bool enable) {
    mode = enable ? Mode::kMmap : Mode::kRead;
    return *this;
  }
  auto operator<=>(const LoadOptions&) const = default;
};

// "auto", "mmap", "private", "read", "direct".
const char* ModeName(Mode mode);
Expected<Mode> ModeNamed(std::string_view name);
// "none", "populate", "willneed", "sequential", "background".
const char* PrefetchName(Prefetch prefetch);
Expected<Prefetch> PrefetchNamed(std::string_view name);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_OPTIONS_H_
