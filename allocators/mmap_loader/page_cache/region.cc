#include "allocators/mmap_loader/page_cache/region.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "allocators/mmap_loader/page_cache/numa_nodes.h"
#include "allocators/mmap_loader/read_pages.h"

// Linux 5.14; Debian 12's headers know it, older ones do not.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace plimsoll::weights {
namespace {

// Between looks at whether the background thread should stop.
constexpr uint64_t kBackgroundChunk = uint64_t{8} << 20;

uint64_t FirstPage(uint64_t offset) { return offset / PageSize(); }
uint64_t EndPage(uint64_t end) { return PageCeil(end) / PageSize(); }
uint64_t HugePageFloor(uint64_t bytes) { return bytes / kHugePageBytes * kHugePageBytes; }
uint64_t HugePageCeil(uint64_t bytes) { return HugePageFloor(bytes + kHugePageBytes - 1); }

MappingKind KindOf(Mode mode) {
  switch (mode) {
    case Mode::kPrivate:
      return MappingKind::kPrivate;
    case Mode::kRead:
    case Mode::kDirect:
      return MappingKind::kAnonymous;
    default:
      return MappingKind::kShared;
  }
}

}  // namespace

Expected<std::unique_ptr<Region>> Region::Create(std::shared_ptr<File> file,
                                                 const LoadOptions& options,
                                                 std::shared_ptr<Counters> counters) {
  Expected<Mapping> mapping = Mapping::Map(file, KindOf(options.mode));
  if (!mapping) return tl::unexpected(mapping.error());
  return std::unique_ptr<Region>(
      new Region(std::move(file), std::move(*mapping), options, std::move(counters)));
}

Region::Region(std::shared_ptr<File> file, Mapping mapping, const LoadOptions& options,
               std::shared_ptr<Counters> counters)
    : file_(std::move(file)),
      mapping_(std::move(mapping)),
      mode_(options.mode),
      huge_where_filled_(!options.huge_pages && !file_backed()),
      counters_(std::move(counters)),
      pages_(EndPage(file_->size())) {
  counters_->mapped_bytes.Add(mapping_.mapped_bytes());
  counters_->mappings.Add(1);
  // Neither note is for those who did not ask: they have the pages that the system gives.
  if (huge_where_filled_) (void)mapping_.Advise(0, mapping_.bytes(), MADV_NOHUGEPAGE, "pages");
  if (options.huge_pages.value_or(false)) {
    const Status advised = mapping_.Advise(0, mapping_.bytes(), MADV_HUGEPAGE, "huge pages");
    if (!advised) Note(advised.error().message);
  }
  if (options.numa == Numa::kInterleave) {
    const std::string refused = InterleavePages(mapping_);
    if (!refused.empty()) Note(refused);
  }
  if (options.numa == Numa::kDistribute && file_backed()) {
    const Status advised = mapping_.Advise(0, mapping_.bytes(), MADV_RANDOM, "random access");
    if (!advised) Note(advised.error().message);
  }
  if (mode_ == Mode::kDirect) {
    const int flags = file_->os().GetFlags(file_->descriptor());
    if (file_->os().SetFlags(file_->descriptor(), flags | O_DIRECT) != 0) {
      Note(file_->path() + ": direct: " + std::generic_category().message(errno) +
           ": read through the page cache instead");
    }
  }
}

Region::~Region() {
  background_ = {};
  uint64_t loaded = 0;
  pages_.ForEach([&](uint64_t first, uint64_t last, const PageState& state) {
    if (state.loaded) loaded += RunBytes(first, last);
  });
  counters_->loaded_bytes.Subtract(loaded);
  counters_->locked_bytes.Subtract(locked_.load());
  counters_->mapped_bytes.Subtract(mapping_.mapped_bytes());
  counters_->mappings.Subtract(1);
}

void Region::Note(std::string note) {
  if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) {
    notes_.push_back(std::move(note));
  }
}

std::vector<std::string> Region::notes() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}

Status Region::Load(uint64_t first, uint64_t last, unsigned threads) {
  const uint64_t begin = first * PageSize();
  const uint64_t end = std::min(last * PageSize(), file_->size());
  const uint64_t whole = HugePageCeil(begin);
  const uint64_t filled = std::min(HugePageFloor(last * PageSize()), mapping_.bytes());
  const bool huge = huge_where_filled_ && whole < filled;
  if (huge) (void)mapping_.Advise(whole, filled - whole, MADV_HUGEPAGE, "huge pages");
  const Status read = Read(begin, end - begin, threads);
  // The pages stay huge. Advised as before, the kernel keeps the range in one mapping.
  if (huge) (void)mapping_.Advise(whole, filled - whole, MADV_NOHUGEPAGE, "pages");
  if (read) counters_->loaded_bytes.Add(RunBytes(first, last));
  return read;
}

Status Region::Read(uint64_t begin, uint64_t bytes, unsigned threads) {
  Status read = ReadPages(*file_, begin, mapping_.data() + begin, bytes, threads);
  const int flags = file_->os().GetFlags(file_->descriptor());
  if (!read && (flags & O_DIRECT) != 0) {
    // Some file systems take the flag and refuse the reads.
    Note(read.error().message + ": read through the page cache instead");
    file_->os().SetFlags(file_->descriptor(), flags & ~O_DIRECT);
    read = ReadPages(*file_, begin, mapping_.data() + begin, bytes, threads);
  }
  return read;
}

Status Region::LockRun(uint64_t first, uint64_t last, const LoadOptions& options,
                       PageState& state) {
  const uint64_t begin = first * PageSize();
  const uint64_t bytes = RunBytes(first, last);
  if (!counters_->locked_bytes.AddWithin(bytes, options.lock_limit_bytes)) {
    return BadValue(file_->path(), "mlock", std::to_string(bytes) + " bytes",
                    "expected to stay within the limit of " +
                        std::to_string(options.lock_limit_bytes) + " bytes, of which " +
                        std::to_string(counters_->locked_bytes.level()) + " are locked");
  }
  const Status locked = mapping_.Lock(begin, std::min(bytes, mapping_.bytes() - begin));
  if (!locked) {
    counters_->locked_bytes.Subtract(bytes);
    return locked;
  }
  state.locked = true;
  locked_.fetch_add(bytes, std::memory_order_relaxed);
  return {};
}

void Region::GiveBack(uint64_t first, uint64_t last, OnDrop on_drop, PageState& state) {
  const uint64_t begin = first * PageSize();
  const uint64_t bytes = std::min(last * PageSize(), mapping_.bytes()) - begin;
  if (state.locked) {
    if (const Status unlocked = mapping_.Unlock(begin, bytes); !unlocked) {
      return Note(unlocked.error().message);
    }
    state.locked = false;
    locked_.fetch_sub(RunBytes(first, last), std::memory_order_relaxed);
    counters_->locked_bytes.Subtract(RunBytes(first, last));
  }
  if (on_drop == OnDrop::kKeep) return;
  if (on_drop == OnDrop::kEvict && file_backed()) {
    // Splits the page cache's large folios where the range ends inside one, which neither
    // call below does. Its failure costs no more than that.
    (void)mapping_.Advise(begin, bytes, MADV_PAGEOUT, "evict pages");
  }
  if (const Status discarded = mapping_.Discard(begin, bytes); !discarded) {
    return Note(discarded.error().message);
  }
  counters_->returned_bytes.fetch_add(RunBytes(first, last), std::memory_order_relaxed);
  if (state.loaded) {
    counters_->loaded_bytes.Subtract(RunBytes(first, last));
    state.loaded = false;
  }
  if (on_drop == OnDrop::kEvict) {
    // To the end of the last page: a part of a page is not evicted.
    const int error =
        file_->os().Fadvise(file_->descriptor(), static_cast<off_t>(begin),
                            static_cast<off_t>(RunBytes(first, last)), POSIX_FADV_DONTNEED);
    if (error != 0) {
      Note(file_->path() + ": evict pages: " + std::generic_category().message(error));
    }
  }
}

void Region::UnpinPages(uint64_t first, uint64_t last, OnDrop on_drop) {
  pages_.Update(first, last, [&](uint64_t run_first, uint64_t run_last, PageState& state) {
    if (--state.pins == 0) GiveBack(run_first, run_last, on_drop, state);
  });
}

Status Region::Pin(uint64_t offset, uint64_t bytes, const LoadOptions& options) {
  if (bytes == 0) return {};
  const uint64_t first = FirstPage(offset);
  const uint64_t last = EndPage(offset + bytes);
  const std::lock_guard lock(mutex_);
  Status done;
  pages_.Update(first, last, [&](uint64_t run_first, uint64_t run_last, PageState& state) {
    ++state.pins;
    if (done && !file_backed() && !state.loaded) {
      done = Load(run_first, run_last, options.read_threads);
      state.loaded = done.has_value();
    }
    if (done && options.lock != Lock::kNone && !state.locked) {
      Status locked = LockRun(run_first, run_last, options, state);
      if (!locked && options.lock == Lock::kRequire) done = std::move(locked);
      if (!locked && options.lock == Lock::kTry) Note(locked.error().message);
    }
  });
  if (!done) UnpinPages(first, last, options.on_drop);
  return done;
}

void Region::Unpin(uint64_t offset, uint64_t bytes, const LoadOptions& options) {
  if (bytes == 0) return;
  const std::lock_guard lock(mutex_);
  UnpinPages(FirstPage(offset), EndPage(offset + bytes), options.on_drop);
}

Status Region::PopulateMapping(uint64_t offset, uint64_t bytes) {
  const Status populated = mapping_.Advise(offset, bytes, MADV_POPULATE_READ, "populate");
  if (populated) return {};
  // Pages that are not there are an error; a kernel that does not know how is not.
  if (const Status whole = Check(offset, bytes); !whole) return whole;
  const std::lock_guard lock(mutex_);
  Note(populated.error().message + ": asked to read ahead instead");
  return mapping_.Advise(offset, bytes, MADV_WILLNEED, "read ahead");
}

Status Region::Start(const LoadOptions& options) {
  const File& file = *file_;
  const uint64_t bytes = mapping_.bytes();
  const auto fadvise = [&](int advice, const char* name) -> Status {
    const int error = file.os().Fadvise(file.descriptor(), 0, 0, advice);
    if (error != 0) return SystemError(file.path(), name, error);
    return {};
  };
  if (options.numa == Numa::kDistribute && options.prefetch != Prefetch::kNone) {
    const std::lock_guard lock(mutex_);
    Note(file.path() + ": prefetch: none, as numa distribute leaves each page to its first user");
    return {};
  }
  switch (options.prefetch) {
    case Prefetch::kNone:
      return {};
    case Prefetch::kPopulate: {
      if (file_backed()) return PopulateMapping(0, bytes);
      const std::lock_guard lock(mutex_);
      Status done;
      pages_.Update(0, pages_.pages(), [&](uint64_t first, uint64_t last, PageState& state) {
        if (!done || state.loaded) return;
        done = Load(first, last, options.read_threads);
        state.loaded = done.has_value();
      });
      return done;
    }
    case Prefetch::kWillNeed:
      if (file_backed()) return mapping_.Advise(0, bytes, MADV_WILLNEED, "read ahead");
      return fadvise(POSIX_FADV_WILLNEED, "read ahead");
    case Prefetch::kSequential:
      if (file_backed()) {
        const Status advised = mapping_.Advise(0, bytes, MADV_SEQUENTIAL, "sequential access");
        if (!advised) return advised;
      }
      return fadvise(POSIX_FADV_SEQUENTIAL, "sequential access");
    case Prefetch::kBackground: {
      const std::lock_guard lock(mutex_);
      if (std::exchange(started_background_, true)) return {};
      background_ = std::jthread([this, threads = options.read_threads](std::stop_token stop) {
        RunBackground(std::move(stop), threads);
      });
      return {};
    }
  }
  return {};
}

void Region::RunBackground(std::stop_token stop, unsigned threads) {
  const uint64_t bytes = mapping_.bytes();
  for (uint64_t begin = 0; begin < bytes && !stop.stop_requested(); begin += kBackgroundChunk) {
    const uint64_t chunk = std::min(kBackgroundChunk, bytes - begin);
    Status done;
    if (file_backed()) {
      done = PopulateMapping(begin, chunk);
    } else {
      const std::lock_guard lock(mutex_);
      const auto load = [&](uint64_t first, uint64_t last, PageState& state) {
        if (!done || state.loaded) return;
        done = Load(first, last, threads);
        state.loaded = done.has_value();
      };
      pages_.Update(FirstPage(begin), EndPage(begin + chunk), load);
    }
    if (!done) {
      // The reader who needs these bytes gets the error; here nobody listens.
      const std::lock_guard lock(mutex_);
      return Note(done.error().message + ": background prefetch stopped");
    }
  }
}

void Region::Guard() {
  const std::lock_guard lock(mutex_);
  if (guard_ || !file_backed()) return;
  guard_.emplace(mapping_.data(), mapping_.mapped_bytes(), file_->descriptor());
  guarding_.store(&*guard_, std::memory_order_release);
}

uint64_t Region::ReleaseUnused() {
  const std::lock_guard lock(mutex_);
  uint64_t released = 0;
  pages_.Update(0, pages_.pages(), [&](uint64_t first, uint64_t last, PageState& state) {
    if (state.pins > 0) return;
    const uint64_t begin = first * PageSize();
    released +=
        MeasureResidency(file_->os(), mapping_.data() + begin, RunBytes(first, last), file_backed())
            .resident.value_or(0);
    GiveBack(first, last, OnDrop::kReturn, state);
  });
  return released;
}

Status Region::Check(uint64_t offset, uint64_t bytes) const {
  if (!file_backed()) return {};
  if (const FaultGuard* guard = guarding_.load(std::memory_order_acquire)) {
    const Status whole = guard->Check(file_->path().c_str(), offset, bytes);
    if (!whole) return whole;
  }
  return file_->CheckStillHolds(offset + bytes);
}

bool Region::Usable() const {
  const FaultGuard* guard = guarding_.load(std::memory_order_acquire);
  return guard == nullptr || !guard->damaged();
}

Residency Region::Measure() const {
  return MeasureResidency(file_->os(), mapping_.data(), mapping_.mapped_bytes(), file_backed());
}

}  // namespace plimsoll::weights
