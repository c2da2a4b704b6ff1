#include "allocators/planner_arena/arena_range.h"

#include <unistd.h>

#include <algorithm>

namespace plimsoll {
namespace {

// What TensorFlow's allocator takes off a region that the system refused.
constexpr double kBackOff = 0.9;

size_t MachineMemoryBytes() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

size_t ReservationOf(const ArenaConfiguration& configuration) {
  const size_t wanted =
      configuration.reserve_bytes != 0 ? configuration.reserve_bytes : MachineMemoryBytes();
  return RoundUp(std::min<size_t>(wanted, ArenaConfiguration::kMostReservedBytes),
                 static_cast<size_t>(sysconf(_SC_PAGESIZE)));
}

ArenaRange::ArenaRange(const ArenaConfiguration& configuration, ArenaPages& pages,
                       ArenaBudget& budget)
    : configuration_(configuration),
      pages_(pages),
      budget_(budget),
      page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {}

ArenaRange::~ArenaRange() {
  if (base() == 0) return;
  budget_.Give(static_cast<int64_t>(committed_));
  pages_.Release(reinterpret_cast<void*>(base()), reserved_);
}

bool ArenaRange::Prepare(size_t height) {
  if (base() == 0) {
    reserved_ = ReservationOf(configuration_);
    void* const begin = pages_.Reserve(reserved_);
    if (begin == nullptr) return false;
    if (configuration_.huge_pages) hints_taken_ = pages_.AdviseHuge(begin, reserved_);
    if (configuration_.numa_interleave) {
      hints_taken_ = pages_.Interleave(begin, reserved_) && hints_taken_;
    }
    base_.store(reinterpret_cast<uintptr_t>(begin), std::memory_order_release);
  }
  if (configuration_.growth == Growth::kGrow) return true;
  const size_t end = std::min(RoundUp(height, page_), reserved_);
  if (end <= populated_) return true;
  const size_t before = committed_;
  if (end > committed_ && !CommitExactly(end)) return false;
  if (!pages_.Populate(reinterpret_cast<void*>(base() + populated_), end - populated_)) {
    ShrinkTo(before);
    return false;
  }
  populated_ = end;
  return true;
}

bool ArenaRange::CommitTo(size_t end, size_t useful) {
  if (end <= committed_) return true;
  if (end > reserved_) return false;
  const size_t least = RoundUp(end, page_) - committed_;
  size_t region = std::max(committed_, RoundUp(configuration_.first_region_bytes, page_));
  const size_t most = RoundUp(std::max(end, useful), page_) - committed_;
  region = std::min({std::max(region, least), most, reserved_ - committed_});
  while (region > least) {
    if (CommitExactly(committed_ + region)) return true;
    const auto smaller = static_cast<size_t>(static_cast<double>(region) * kBackOff);
    region = smaller / page_ * page_;
  }
  return CommitExactly(committed_ + least);
}

bool ArenaRange::CommitExactly(size_t end) {
  const size_t more = end - committed_;
  if (!budget_.Take(static_cast<int64_t>(more))) return false;
  if (!pages_.Commit(reinterpret_cast<void*>(base() + committed_), more)) {
    budget_.Give(static_cast<int64_t>(more));
    return false;
  }
  committed_ = end;
  return true;
}

void ArenaRange::Normalize(std::vector<Bytes>& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Bytes& a, const Bytes& b) { return a.begin < b.begin; });
  size_t kept = 0;
  for (const Bytes& range : ranges) {
    if (kept > 0 && range.begin < ranges[kept - 1].end) {
      ranges[kept - 1].end = std::max(ranges[kept - 1].end, range.end);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

size_t ArenaRange::DiscardAllBut(const std::vector<Bytes>& live) {
  size_t given = 0;
  size_t free_from = 0;
  const auto discard = [&](size_t begin, size_t end) {
    begin = RoundUp(begin, page_);
    end = end / page_ * page_;
    if (begin >= end) return;
    pages_.Discard(reinterpret_cast<void*>(base() + begin), end - begin);
    populated_ = std::min(populated_, begin);
    given += end - begin;
  };
  for (const Bytes& block : live) {
    discard(free_from, block.begin);
    free_from = block.end;
  }
  discard(free_from, committed_);
  return given;
}

size_t ArenaRange::ShrinkTo(size_t end) {
  const size_t keep = RoundUp(end, page_);
  if (keep >= committed_) return 0;
  const size_t given = committed_ - keep;
  pages_.Uncommit(reinterpret_cast<void*>(base() + keep), given);
  budget_.Give(static_cast<int64_t>(given));
  committed_ = keep;
  populated_ = std::min(populated_, keep);
  return given;
}

}  // namespace plimsoll
