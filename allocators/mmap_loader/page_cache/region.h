#ifndef ALLOCATORS_MMAP_LOADER_PAGE_CACHE_REGION_H_
#define ALLOCATORS_MMAP_LOADER_PAGE_CACHE_REGION_H_

// One file in memory, mapped or read, page by page in the hands of those who use it: a
// page is loaded when the first handle wants it and given back when the last lets go.
// Thread-safe. Loads of one region wait for each other; each may use several threads.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "allocators/mmap_loader/fault_guard.h"
#include "allocators/mmap_loader/file.h"
#include "allocators/mmap_loader/mapping.h"
#include "allocators/mmap_loader/options.h"
#include "allocators/mmap_loader/page_cache/counters.h"
#include "allocators/mmap_loader/page_cache/page_states.h"
#include "allocators/mmap_loader/residency.h"
#include "base/error.h"

namespace plimsoll::weights {

class Region {
 public:
  // Maps `file`, or reserves room to read it into, as options.mode (not kAuto) says.
  // Huge pages and NUMA are asked for here. `counters` outlives the loader with us.
  static Expected<std::unique_ptr<Region>> Create(std::shared_ptr<File> file,
                                                  const LoadOptions& options,
                                                  std::shared_ptr<Counters> counters);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  const File& file() const { return *file_; }
  const Mapping& mapping() const { return mapping_; }
  // Whether Bytes come from the file itself, and so may be lost with it.
  bool file_backed() const { return mapping_.kind() != MappingKind::kAnonymous; }

  // Holds the pages of a range: loaded in the reading modes, locked when the options say
  // so. Every Pin that succeeds wants one Unpin with the same range and options.
  Status Pin(uint64_t offset, uint64_t bytes, const LoadOptions& options);
  // Pages that nobody holds any more are given back, or not, as options.on_drop says.
  void Unpin(uint64_t offset, uint64_t bytes, const LoadOptions& options);

  // Starts what options.prefetch asks for; what the kernel refuses becomes a note.
  Status Start(const LoadOptions& options);
  // From now on for all users: a SIGBUS in this region is survived. See FaultGuard.
  void Guard();
  // Gives back every page that nobody holds, such as prefetched ones; returns the bytes.
  uint64_t ReleaseUnused();

  // An error when the range was lost to a truncation or a disk error, or the file now ends
  // before it. Never an error in the reading modes once the bytes are there.
  Status Check(uint64_t offset, uint64_t bytes) const;
  // False once anything was lost: a new load must not share this region.
  bool Usable() const;

  Residency Measure() const;
  uint64_t locked_bytes() const { return locked_.load(std::memory_order_relaxed); }
  // What was asked for and not had, a line each.
  std::vector<std::string> notes() const;

 private:
  Region(std::shared_ptr<File> file, Mapping mapping, const LoadOptions& options,
         std::shared_ptr<Counters> counters);
  // The helpers below want mutex_ to be held.
  Status Load(uint64_t first, uint64_t last, unsigned threads);
  Status Read(uint64_t begin, uint64_t bytes, unsigned threads);
  Status LockRun(uint64_t first, uint64_t last, const LoadOptions& options, PageState& state);
  void GiveBack(uint64_t first, uint64_t last, OnDrop on_drop, PageState& state);
  void UnpinPages(uint64_t first, uint64_t last, OnDrop on_drop);
  void Note(std::string note);

  Status PopulateMapping(uint64_t offset, uint64_t bytes);
  void RunBackground(std::stop_token stop, unsigned threads);
  uint64_t RunBytes(uint64_t first, uint64_t last) const { return (last - first) * PageSize(); }

  const std::shared_ptr<File> file_;
  Mapping mapping_;
  const Mode mode_;
  // Only the whole huge pages that a load fills become such: no part of one lies unused.
  const bool huge_where_filled_;
  const std::shared_ptr<Counters> counters_;
  mutable std::mutex mutex_;
  PageStates pages_;                 // by mutex_
  std::optional<FaultGuard> guard_;  // written by mutex_ once, then only read
  std::atomic<const FaultGuard*> guarding_ = nullptr;
  std::vector<std::string> notes_;  // by mutex_
  std::atomic<uint64_t> locked_ = 0;
  bool started_background_ = false;  // by mutex_
  std::jthread background_;          // last: joins before the rest goes
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_PAGE_CACHE_REGION_H_
