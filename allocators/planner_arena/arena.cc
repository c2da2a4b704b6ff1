#include "allocators/planner_arena/arena.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>
#include <utility>

#include "allocators/planner_arena/greedy.h"
#include "allocators/system/system_resource.h"

namespace plimsoll {
namespace {

// Which timelines exist, for threads that end after the arena they once used.
class Registry {
 public:
  static Registry& Get() {
    static Registry* const registry = new Registry;
    return *registry;
  }

  uint64_t NewId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  void Add(uint64_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    live_.emplace(id, true);
  }

  void Remove(uint64_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    live_.erase(id);
  }

  // Calls `visit` while the arena cannot go away, if it is still there.
  template <typename Visit>
  bool With(uint64_t id, Visit visit) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!live_.contains(id)) return false;
    visit();
    return true;
  }

 private:
  std::atomic<uint64_t> next_id_{1};
  std::mutex mutex_;
  std::unordered_map<uint64_t, bool> live_;
};

// The lanes that a thread has taken, given back when it ends.
class ThreadLanes {
 public:
  ~ThreadLanes() {
    for (const Taken& taken : lanes_) {
      Registry::Get().With(taken.arena, [&] { taken.lane->timeline->ReleaseLane(taken.lane); });
    }
  }

  Lane* Of(uint64_t arena, Timeline& timeline) {
    for (const Taken& taken : lanes_) {
      if (taken.arena == arena && taken.lane->timeline == &timeline) return taken.lane;
    }
    std::erase_if(lanes_,
                  [](const Taken& taken) { return !Registry::Get().With(taken.arena, [] {}); });
    Lane* const lane = timeline.AcquireLane();
    lanes_.push_back({arena, lane});
    return lane;
  }

 private:
  struct Taken {
    uint64_t arena;
    Lane* lane;
  };
  std::vector<Taken> lanes_;
};

// What a thread remembers from call to call.
struct ThreadMemory {
  uint64_t arena = 0;
  uint64_t epoch = 0;
  Lane* lane = nullptr;
};

#define PLIMSOLL_FAST_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local

PLIMSOLL_FAST_THREAD_LOCAL constinit ThreadMemory t_memory;
PLIMSOLL_FAST_THREAD_LOCAL constinit StepScope* t_scope = nullptr;
thread_local ThreadLanes t_lanes;

// Requests of a lane from one look at what the other lanes hold to the next.
constexpr int64_t kLookEvery = 64;

void RaiseTo(std::atomic<int64_t>& maximum, int64_t value) {
  int64_t seen = maximum.load(std::memory_order_relaxed);
  while (value > seen && !maximum.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

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
      planner_(parts.planner ? parts.planner
                             : [](const std::vector<Buffer>& b) { return GreedyBySize(b); }),
      pages_(parts.pages ? *parts.pages : ArenaPages::System()),
      id_(Registry::Get().NewId()) {
  Registry::Get().Add(id_);
}

PlannerArena::~PlannerArena() {
  Registry::Get().Remove(id_);
  for (uint32_t i = 0; i < num_timelines_; ++i) delete timelines_[i].load();
}

void* PlannerArena::Allocate(size_t bytes, size_t alignment) {
  Lane* lane = t_memory.lane;
  if (t_memory.arena != id_ || t_memory.epoch != epoch_.load(std::memory_order_acquire)) {
    lane = FindLane();
  }
  if (lane != nullptr && lane->plan != nullptr) {
    const size_t least = std::max<size_t>(alignment, kGranuleBytes);
    const auto log2 = static_cast<uint32_t>(std::countr_zero(least));
    if (void* const block = lane->timeline->Serve(*lane, std::max<size_t>(bytes, 1), log2)) {
      CountAllocate(lane, bytes);
      return block;
    }
  }
  return AllocateUpstream(lane, bytes, alignment);
}

void PlannerArena::CountAllocate(Lane* lane, size_t bytes) {
  const auto size = static_cast<int64_t>(bytes);
  if (lane != nullptr) {
    LaneCounters& counters = lane->counters;
    counters.allocs.Add(1);
    counters.bytes.Add(size);
    counters.largest.RaiseTo(size);
    if (counters.allocs.Get() % kLookEvery == 0) {
      lane->others = LaneBytes() + bytes_.load(std::memory_order_relaxed) - counters.bytes.Get();
    }
    counters.peak.RaiseTo(counters.bytes.Get() + lane->others);
    return;
  }
  allocs_.fetch_add(1, std::memory_order_relaxed);
  RaiseTo(largest_, size);
  const int64_t in_use = bytes_.fetch_add(size, std::memory_order_relaxed) + size;
  RaiseTo(peak_, in_use + lane_bytes_.load(std::memory_order_relaxed));
}

void PlannerArena::CountFree(size_t bytes) {
  const auto size = static_cast<int64_t>(bytes);
  if (t_memory.arena == id_ && t_memory.lane != nullptr) {
    t_memory.lane->counters.bytes.Add(-size);
  } else {
    bytes_.fetch_sub(size, std::memory_order_relaxed);
  }
}

void PlannerArena::Free(void* block) {
  if (block == nullptr) return;
  Lane* const lane = t_memory.arena == id_ ? t_memory.lane : nullptr;
  Timeline* owner = lane != nullptr && lane->timeline->Owns(block) ? lane->timeline : nullptr;
  if (owner == nullptr) owner = OwnerOf(block);
  if (owner == nullptr) {
    FreeUpstream(block);
    return;
  }
  CountFree(owner->Release(block));
}

// The lane of this thread in the step that it takes part in, or nullptr.
Lane* PlannerArena::FindLane() {
  const uint64_t epoch = epoch_.load(std::memory_order_acquire);
  Lane* lane = nullptr;
  if (Timeline* const timeline = TimelineOfThread()) {
    lane = t_lanes.Of(id_, *timeline);
    if (!timeline->EnterStep(*lane)) lane = nullptr;
  }
  if (lane != nullptr) {
    lane->others =
        LaneBytes() + bytes_.load(std::memory_order_relaxed) - lane->counters.bytes.Get();
  }
  t_memory = {id_, epoch, lane};
  return lane;
}

Timeline* PlannerArena::TimelineOfThread() const {
  for (StepScope* scope = t_scope; scope != nullptr; scope = scope->outer_) {
    if (&scope->arena_ == this) return &scope->ticket_.step_->timeline;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  Timeline* only = nullptr;
  for (uint32_t i = 0; i < num_timelines_; ++i) {
    Timeline* const timeline = timelines_[i].load(std::memory_order_relaxed);
    if (!timeline->InStep()) continue;
    if (only != nullptr) return nullptr;
    only = timeline;
  }
  return only;
}

void* PlannerArena::AllocateUpstream(Lane* lane, size_t bytes, size_t alignment) {
  const size_t least = std::max<size_t>(alignment, kGranuleBytes);
  const size_t asked = std::max<size_t>(bytes, 1);
  UpstreamBlock what{asked, least, 0, 0, {}};
  if (lane == nullptr || lane->plan == nullptr) outside_.fetch_add(1, std::memory_order_relaxed);
  void* const block = upstream_.allocate(asked, least);
  if (lane != nullptr && lane->recording) {
    what.timeline = lane->timeline->index();
    what.request = lane->timeline->RecordAllocate(*lane, asked, least, 0);
  }
  try {
    upstream_blocks_.Insert(block, what);
  } catch (...) {
    upstream_.deallocate(block, asked, least);
    if (what.request) lane->timeline->RecordFree(what.request);
    throw;
  }
  const auto size = static_cast<int64_t>(asked);
  RaiseTo(peak_upstream_bytes_, upstream_bytes_.fetch_add(size, std::memory_order_relaxed) + size);
  CountAllocate(lane, asked);
  return block;
}

void PlannerArena::FreeUpstream(void* block) {
  const std::optional<UpstreamBlock> what = upstream_blocks_.Remove(block);
  if (!what) AbortOnForeignFree(block);
  if (what->request) timelines_[what->timeline].load()->RecordFree(what->request);
  upstream_bytes_.fetch_sub(static_cast<int64_t>(what->bytes), std::memory_order_relaxed);
  CountFree(what->bytes);
  upstream_.deallocate(block, what->bytes, what->alignment);
}

Timeline* PlannerArena::OwnerOf(const void* block) const {
  const uint32_t count = num_timelines_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    Timeline* const timeline = timelines_[i].load(std::memory_order_relaxed);
    if (timeline->Owns(block)) return timeline;
  }
  return nullptr;
}

int64_t PlannerArena::LaneBytes() const {
  int64_t bytes = 0;
  for (uint32_t i = 0; i < num_timelines_.load(std::memory_order_acquire); ++i) {
    bytes += timelines_[i].load(std::memory_order_relaxed)->LaneBytes();
  }
  return bytes;
}

Timeline& PlannerArena::BeginStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Timeline* begun = nullptr;
  const uint32_t count = num_timelines_.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count && begun == nullptr; ++i) {
    Timeline* const timeline = timelines_[i].load(std::memory_order_relaxed);
    if (timeline->BeginStep()) begun = timeline;
  }
  if (begun == nullptr) {
    if (count == kMaxTimelines) {
      std::fprintf(stderr, "%s:%d: %u steps of one arena are open at once; at most %u may be\n",
                   __FILE__, __LINE__, count + 1, kMaxTimelines);
      std::abort();
    }
    begun = new Timeline(count, configuration_, planner_, pages_);
    begun->BeginStep();
    timelines_[count].store(begun, std::memory_order_relaxed);
    num_timelines_.store(count + 1, std::memory_order_release);
  }
  epoch_.fetch_add(1, std::memory_order_release);
  return *begun;
}

void PlannerArena::EndStep(Timeline& timeline) {
  const std::lock_guard<std::mutex> lock(mutex_);
  timeline.EndStep();
  lane_bytes_.store(LaneBytes(), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
}

void PlannerArena::WaitForPlan() {
  for (uint32_t i = 0; i < num_timelines_.load(std::memory_order_acquire); ++i) {
    timelines_[i].load(std::memory_order_relaxed)->WaitForPlan();
  }
}

ArenaStats PlannerArena::Stats() const {
  ArenaStats stats;
  AllocatorStats& allocator = stats.allocator;
  allocator.num_allocs = allocs_.load(std::memory_order_relaxed);
  allocator.bytes_in_use = bytes_.load(std::memory_order_relaxed);
  allocator.largest_alloc_size = largest_.load(std::memory_order_relaxed);
  allocator.peak_bytes_in_use = peak_.load(std::memory_order_relaxed);
  allocator.bytes_reserved = upstream_bytes_.load(std::memory_order_relaxed);
  allocator.peak_bytes_reserved = peak_upstream_bytes_.load(std::memory_order_relaxed);
  stats.outside = outside_.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < num_timelines_.load(std::memory_order_acquire); ++i) {
    const Timeline::Totals totals = timelines_[i].load(std::memory_order_relaxed)->GetTotals();
    allocator.num_allocs += totals.allocs;
    allocator.bytes_in_use += totals.bytes;
    allocator.largest_alloc_size = std::max(allocator.largest_alloc_size, totals.largest);
    allocator.peak_bytes_in_use = std::max(allocator.peak_bytes_in_use, totals.peak);
    allocator.bytes_reserved += totals.committed_bytes;
    allocator.peak_bytes_reserved += totals.committed_bytes;
    stats.hits += totals.hits;
    stats.misses += totals.misses;
    stats.unplanned += totals.unplanned;
    stats.steps += totals.steps;
    stats.planned_steps += totals.planned_steps;
    stats.recorded_steps += totals.recorded_steps;
    stats.stable_steps = std::max(stats.stable_steps, totals.stable_steps);
    stats.plan_height += totals.plan_height;
    stats.plan_lower_bound += totals.plan_lower_bound;
    stats.plan_peak_live += totals.plan_peak_live;
  }
  return stats;
}

StepScope::StepScope(PlannerArena& arena) : arena_(arena), outer_(t_scope) {
  for (StepScope* scope = outer_; scope != nullptr; scope = scope->outer_) {
    if (&scope->arena_ == &arena) {
      ticket_ = scope->ticket_;
      break;
    }
  }
  if (!ticket_.step_) {
    ticket_.step_ = std::make_shared<StepTicket::Step>(arena, arena.BeginStep());
  }
  t_scope = this;
  t_memory.epoch = 0;
}

StepScope::StepScope(PlannerArena& arena, StepTicket ticket)
    : arena_(arena), ticket_(std::move(ticket)), outer_(t_scope) {
  t_scope = this;
  t_memory.epoch = 0;
}

StepScope::~StepScope() {
  t_scope = outer_;
  t_memory.epoch = 0;
}

}  // namespace plimsoll
