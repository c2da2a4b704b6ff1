#include "allocators/planner_arena/arena.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "allocators/planner_arena/arena_sites.h"
#include "allocators/planner_arena/arena_threads.h"
#include "allocators/planner_arena/planner/paged_plan.h"
#include "allocators/system/system_resource.h"

namespace plimsoll {
namespace {

using internal::t_memory;

// A lane tells what it holds, and looks what the others told, every so many requests; all
// write the same line, and each write takes it from the others. Sooner, if that changed
// much: by more than this, and than so large a part of the most.
constexpr int64_t kTellEvery = 64;
constexpr int64_t kLeastToTell = int64_t{64} << 10;
constexpr int64_t kPartToTell = 4;
// Blocks that get pages of their own in steps that are recorded, wait for their plan or
// leave it: malloc keeps what is freed, beside the pages that a plan needs.
constexpr size_t kLeastToMap = size_t{32} << 10;
// What the arena's base is aligned to: it cannot promise more.
constexpr size_t kMostAlignment = size_t{2} << 20;

void RaiseTo(std::atomic<int64_t>& maximum, int64_t value) {
  int64_t seen = maximum.load(std::memory_order_relaxed);
  while (value > seen && !maximum.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

bool MuchToTell(const Lane& lane) {
  return std::abs(lane.counters.bytes.Get() - lane.told) >
         std::max(kLeastToTell, lane.most_told / kPartToTell);
}

std::function<void()> UpstreamTrimmer(const PlannerArena::Parts& parts) {
  if (parts.trim_upstream || parts.upstream) return parts.trim_upstream;
  return [] { DefaultSystemResource().Trim(); };
}

size_t PageBytes() {
  static const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return page;
}

size_t WholePages(size_t bytes) { return (bytes + PageBytes() - 1) / PageBytes() * PageBytes(); }

// nullptr when the system refuses.
void* MapBlock(ArenaPages& pages, size_t bytes) {
  void* const block = pages.Reserve(WholePages(bytes));
  if (block != nullptr && !pages.Commit(block, WholePages(bytes))) {
    pages.Release(block, WholePages(bytes));
    return nullptr;
  }
  return block;
}

// What a block takes of the budget.
int64_t HeldBytes(const UpstreamBlock& what) {
  return static_cast<int64_t>(what.mapped ? WholePages(what.bytes) : what.bytes);
}

Plan PlanOffline(const std::vector<Buffer>& buffers, double seconds) {
  return PlanOnPages(buffers, seconds, static_cast<int64_t>(PageBytes()));
}

std::thread StartThread(std::function<void()> run) { return std::thread(std::move(run)); }

}  // namespace

Expected<std::unique_ptr<PlannerArena>> PlannerArena::Create(
    const ArenaConfiguration& configuration, const Parts& parts) {
  const Status status = configuration.Check();
  if (!status) return tl::unexpected(status.error());
  return std::unique_ptr<PlannerArena>(new PlannerArena(configuration, parts));
}

PlannerArena::PlannerArena(const ArenaConfiguration& configuration, const Parts& parts)
    : configuration_(configuration),
      upstream_(parts.upstream ? *parts.upstream : DefaultSystemResource()),
      maps_large_(parts.upstream == nullptr),
      trim_upstream_(UpstreamTrimmer(parts)),
      planner_(parts.planner ? parts.planner : PlanOffline),
      pages_(parts.pages ? *parts.pages : ArenaPages::System()),
      start_thread_(parts.start_thread ? parts.start_thread : StartThread),
      id_(RegisterArena()),
      budget_(configuration.limit_bytes) {}

PlannerArena::~PlannerArena() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  decay_wake_.notify_all();
  if (decay_.joinable()) decay_.join();
  UnregisterArena(id_);
  for (uint32_t i = 0; i < num_timelines_; ++i) delete timelines_[i].load();
}

void* PlannerArena::Allocate(size_t bytes, size_t alignment) {
  Lane* lane = t_memory.lane;
  if (t_memory.arena != id_ || t_memory.epoch != epoch_.load(std::memory_order_acquire)) {
    lane = FindLane(bytes, alignment);
  }
  bytes = std::max<size_t>(bytes, 1);
  alignment = std::max<size_t>(alignment, kGranuleBytes);
  if (lane == nullptr || alignment > kMostAlignment) [[unlikely]] {
    return AllocateUnserved(lane, bytes, alignment);
  }
  if (lane->recording) lane->timeline->Record(*lane, bytes, alignment, CurrentSite());
  if (lane->plan == nullptr) return AllocateUpstream(lane, bytes, alignment, false);
  void* const block = lane->timeline->Serve(
      *lane, bytes, static_cast<uint32_t>(std::countr_zero(alignment)), CurrentSite());
  if (block == nullptr) return AllocateUpstream(lane, bytes, alignment, lane->missed);
  if (lane->recording) lane->plan->SetRequest(lane->last_taken, lane->recorded);
  CountAllocate(lane, bytes);
  return block;
}

void PlannerArena::Free(void* block) {
  if (block == nullptr) return;
  Lane* const lane = t_memory.arena == id_ ? t_memory.last_lane : nullptr;
  Timeline* owner = lane != nullptr && lane->timeline->Owns(block) ? lane->timeline : nullptr;
  if (owner != nullptr) {
    CountFree(owner->Release(lane, block));
    return;
  }
  owner = OwnerOf(block);
  if (owner != nullptr) {
    CountFree(owner->Release(nullptr, block));
  } else {
    FreeUpstream(block);
  }
}

void PlannerArena::CountAllocate(Lane* lane, size_t bytes) {
  const auto size = static_cast<int64_t>(bytes);
  if (lane != nullptr) {
    LaneCounters& counters = lane->counters;
    counters.allocs.Add(1);
    counters.bytes.Add(size);
    counters.largest.RaiseTo(size);
    if (counters.allocs.Get() % kTellEvery == 0 || MuchToTell(*lane)) TellBytes(*lane);
    counters.peak.RaiseTo(counters.bytes.Get() + lane->others);
    return;
  }
  allocs_.fetch_add(1, std::memory_order_relaxed);
  RaiseTo(largest_, size);
  const int64_t in_use = bytes_.fetch_add(size, std::memory_order_relaxed) + size;
  RaiseTo(peak_, in_use + lane_bytes_.load(std::memory_order_relaxed));
}

void PlannerArena::TellBytes(Lane& lane) {
  const int64_t bytes = lane.counters.bytes.Get();
  const int64_t others = lane_bytes_.fetch_add(bytes - lane.told, std::memory_order_relaxed);
  lane.others = others - lane.told + bytes_.load(std::memory_order_relaxed);
  lane.told = bytes;
  lane.most_told = std::max(lane.most_told, bytes);
}

void PlannerArena::CountFree(size_t bytes) {
  const auto size = static_cast<int64_t>(bytes);
  if (t_memory.arena == id_ && t_memory.lane != nullptr &&
      t_memory.epoch == epoch_.load(std::memory_order_relaxed)) {
    t_memory.lane->counters.bytes.Add(-size);
    if (MuchToTell(*t_memory.lane)) TellBytes(*t_memory.lane);
  } else {
    bytes_.fetch_sub(size, std::memory_order_relaxed);
  }
}

// The thread's part in a step is over.
void PlannerArena::LeaveStep() {
  if (t_memory.arena == id_ && t_memory.last_lane != nullptr) TellBytes(*t_memory.last_lane);
}

// The lane of this thread in the step that it takes part in, or nullptr.
Lane* PlannerArena::FindLane(size_t bytes, size_t alignment) {
  const uint64_t epoch = epoch_.load(std::memory_order_acquire);
  Lane* lane = nullptr;
  if (const Part part = PartOfThread(); part.timeline != nullptr) {
    lane = LaneOfThread(id_, *part.timeline);
    if (lane == nullptr || !part.timeline->EnterStep(*lane, part.entry, bytes, alignment)) {
      return nullptr;
    }
    TellBytes(*lane);
  }
  Lane* last = t_memory.arena == id_ ? t_memory.last_lane : nullptr;
  if (lane != nullptr) last = lane;
  t_memory = {id_, epoch, lane, last};
  return lane;
}

// Outside steps, or for an alignment that neither the arena's base nor a block's own pages
// promise.
void* PlannerArena::AllocateUnserved(Lane* lane, size_t bytes, size_t alignment) {
  if (lane == nullptr || lane->plan == nullptr) {
    return AllocateUpstream(nullptr, bytes, alignment, false);
  }
  UpstreamBlock what;
  what.bytes = bytes;
  what.alignment = alignment;
  what.site = CurrentSite();
  void* const block = TakeUpstream(what);
  lane->timeline->CountUnplannable(*lane);
  CountAllocate(lane, bytes);
  return block;
}

void* PlannerArena::AllocateUpstream(Lane* lane, size_t bytes, size_t alignment, bool missed) {
  UpstreamBlock what;
  what.bytes = bytes;
  what.alignment = alignment;
  what.site = CurrentSite();
  if (lane == nullptr || lane->plan == nullptr) outside_.fetch_add(1, std::memory_order_relaxed);
  if (lane != nullptr) {
    what.timeline = lane->timeline->index();
    if (lane->recording) what.request = lane->recorded;
    what.mapped = maps_large_ && bytes >= kLeastToMap && (lane->maps || missed);
    if (missed) what.missed_step = lane->step;
  }
  void* block = nullptr;
  try {
    block = TakeUpstream(what);
  } catch (...) {
    if (what.request) lane->timeline->RecordFree(what.request);
    throw;
  }
  if (missed) lane->timeline->NoteMissed(*lane, bytes);
  CountAllocate(lane, bytes);
  return block;
}

// A block that is in the table.
void* PlannerArena::TakeUpstream(UpstreamBlock& what) {
  void* const block = AskUpstream(what);
  try {
    upstream_blocks_.Insert(block, what);
  } catch (...) {
    GiveBack(block, what);
    throw;
  }
  return block;
}

// Free pages of the arena are given back before a request fails, at last those of open
// steps, too.
void* PlannerArena::AskUpstream(UpstreamBlock& what) {
  if (void* const block = TryUpstream(what)) return block;
  if (Trim() > 0) {
    if (void* const block = TryUpstream(what)) return block;
  }
  const int64_t limit = budget_.limit();
  const auto size = static_cast<int64_t>(std::min<size_t>(what.bytes, PTRDIFF_MAX));
  const bool over_limit = limit != 0 && size > limit - budget_.held();
  const int64_t needed = over_limit ? size - (limit - budget_.held()) : size;
  if (GiveWay(static_cast<size_t>(needed)) > 0) {
    if (void* const block = TryUpstream(what)) return block;
  }
  throw ArenaOutOfMemory(OutOfMemoryReport(what.bytes, over_limit));
}

// nullptr: over the limit, or upstream has nothing left.
void* PlannerArena::TryUpstream(UpstreamBlock& what) {
  const size_t bytes = what.bytes;
  if (bytes > static_cast<size_t>(PTRDIFF_MAX)) return nullptr;
  if (what.mapped && budget_.Take(HeldBytes(what))) {
    if (void* const block = MapBlock(pages_, bytes)) return block;
    budget_.Give(HeldBytes(what));
  }
  what.mapped = false;
  const auto size = static_cast<int64_t>(bytes);
  if (!budget_.Take(size)) return nullptr;
  try {
    return upstream_.allocate(bytes, what.alignment);
  } catch (const std::bad_alloc&) {
    budget_.Give(size);
    return nullptr;
  } catch (...) {
    budget_.Give(size);
    throw;
  }
}

void PlannerArena::FreeUpstream(void* block) {
  const std::optional<UpstreamBlock> what = upstream_blocks_.Remove(block);
  if (!what) AbortOnForeignFree(block);
  if (what->request || what->missed_step != 0) {
    Timeline& timeline = *timelines_[what->timeline].load(std::memory_order_relaxed);
    timeline.RecordFree(what->request);
    if (what->missed_step != 0) timeline.NoteMissedFreed(what->missed_step, what->bytes);
  }
  CountFree(what->bytes);
  GiveBack(block, *what);
}

void PlannerArena::GiveBack(void* block, const UpstreamBlock& what) {
  if (what.mapped) {
    pages_.Release(block, WholePages(what.bytes));
  } else {
    upstream_.deallocate(block, what.bytes, what.alignment);
  }
  budget_.Give(HeldBytes(what));
}

Timeline* PlannerArena::OwnerOf(const void* block) const {
  const uint32_t count = num_timelines_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    Timeline* const timeline = timelines_[i].load(std::memory_order_relaxed);
    if (timeline->Owns(block)) return timeline;
  }
  return nullptr;
}

void PlannerArena::TrimUpstream() {
  if (trim_upstream_) trim_upstream_();
}

size_t PlannerArena::Trim() {
  size_t bytes = 0;
  const uint32_t count = num_timelines_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    bytes += timelines_[i].load(std::memory_order_relaxed)->Trim();
  }
  TrimUpstream();
  return bytes;
}

// Steps lose their plans, so only if that yields what is needed.
size_t PlannerArena::GiveWay(size_t needed) {
  const uint32_t count = num_timelines_.load(std::memory_order_acquire);
  size_t idle = 0;
  for (uint32_t i = 0; i < count; ++i) {
    idle += timelines_[i].load(std::memory_order_relaxed)->IdleBytes();
  }
  if (idle < needed) return 0;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    bytes += timelines_[i].load(std::memory_order_relaxed)->GiveWay();
  }
  return bytes;
}

void PlannerArena::WaitForPlan() {
  const uint32_t count = num_timelines_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    timelines_[i].load(std::memory_order_relaxed)->WaitForPlan();
  }
}

}  // namespace plimsoll
