#include "allocators/planner_arena/arena_step.h"

#include <chrono>
#include <functional>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_threads.h"

namespace plimsoll {
namespace {

// The scopes of this thread, the innermost first.
constinit thread_local StepScope* t_scope = nullptr;

// 0 is for no name.
uint64_t KeyOf(std::string_view name) {
  return name.empty() ? 0 : std::hash<std::string_view>()(name) | 1;
}

}  // namespace

StepTicket::Step::~Step() {
  if (open) arena.EndStep(timeline);
}

StepScope::StepScope(PlannerArena& arena, const StepOptions& options) {
  for (StepScope* scope = t_scope; scope != nullptr; scope = scope->outer_) {
    if (&scope->ticket_.step_->arena == &arena) {
      ticket_ = scope->ticket_;
      began_ = scope->began_;
      break;
    }
  }
  if (!ticket_.step_) {
    began_ = true;
    // The step begins when there is something that will end it.
    auto step = std::make_shared<StepTicket::Step>(arena);
    step->timeline = arena.BeginStep(options);
    step->open = true;
    ticket_ = StepTicket(std::move(step));
  }
  Push();
}

StepScope::StepScope(const StepTicket& ticket) : ticket_(ticket) { Push(); }

void StepScope::Push() {
  outer_ = t_scope;
  t_scope = this;
  internal::t_memory.epoch = 0;
}

StepScope::~StepScope() {
  ticket_.step_->arena.LeaveStep();
  t_scope = outer_;
  internal::t_memory.epoch = 0;
}

PlannerArena::Part PlannerArena::PartOfThread() const {
  for (const StepScope* scope = t_scope; scope != nullptr; scope = scope->outer_) {
    if (&scope->ticket_.step_->arena != this) continue;
    return {scope->ticket_.step_->timeline, scope->began_ ? Entry::kBegan : Entry::kJoined};
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (open_steps_ != 1) return {};
  for (uint32_t i = 0; i < num_timelines_; ++i) {
    Timeline* const timeline = timelines_[i].load(std::memory_order_relaxed);
    if (timeline->InStep()) return {timeline, Entry::kUndeclared};
  }
  return {};
}

Timeline* PlannerArena::BeginStep(const StepOptions& options) {
  const uint64_t session = KeyOf(options.session);
  const uint64_t shape = KeyOf(options.shape);
  Lane* const last = internal::t_memory.arena == id_ ? internal::t_memory.last_lane : nullptr;
  Timeline* begun = nullptr;
  bool new_plans = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const uint32_t count = num_timelines_.load(std::memory_order_relaxed);
    const auto try_one = [&](Timeline* timeline) {
      if (begun != nullptr || sessions_[timeline->index()] != session) return;
      const Timeline::Begun how = timeline->BeginStep(shape);
      if (how == Timeline::Begun::kBusy) return;
      begun = timeline;
      new_plans = how == Timeline::Begun::kOpenWithNewPlans;
    };
    if (last != nullptr) try_one(last->timeline);
    for (uint32_t i = 0; i < count; ++i) {
      try_one(timelines_[i].load(std::memory_order_relaxed));
    }
    if (begun == nullptr && count < kMaxTimelines) {
      auto* const timeline = new Timeline(count, Timeline::Shared{configuration_, planner_, pages_,
                                                                  budget_, epoch_, start_thread_});
      timelines_[count].store(timeline, std::memory_order_relaxed);
      sessions_[count] = session;
      num_timelines_.store(count + 1, std::memory_order_release);
      try_one(timeline);
    }
    ++open_steps_;
    epoch_.fetch_add(1, std::memory_order_release);
  }
  if (new_plans) TrimUpstream();
  return begun;
}

void PlannerArena::EndStep(Timeline* timeline) noexcept {
  const bool trim_upstream = timeline != nullptr && timeline->EndStep();
  bool trim_arena = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    epoch_.fetch_add(1, std::memory_order_release);
    if (--open_steps_ == 0) {
      ++pauses_;
      trim_arena = configuration_.decay_ms == 0;
      if (configuration_.decay_ms > 0) {
        if (!decay_.joinable()) StartDecay();
        decay_wake_.notify_all();
      }
    }
  }
  if (trim_arena) {
    Trim();
  } else if (trim_upstream) {
    TrimUpstream();
  }
}

void PlannerArena::StartDecay() {
  try {
    decay_ = start_thread_([this] { DecayLoop(); });
  } catch (...) {  // no thread is to be had: perhaps in the next pause
  }
}

// Trims once in each pause that lasts as long as configured.
void PlannerArena::DecayLoop() {
  const auto patience = std::chrono::milliseconds(configuration_.decay_ms);
  std::unique_lock<std::mutex> lock(mutex_);
  uint64_t trimmed = 0;
  while (!stopping_) {
    if (open_steps_ != 0 || pauses_ == trimmed) {
      decay_wake_.wait(lock);
      continue;
    }
    const uint64_t pause = pauses_;
    const auto over = [&] { return stopping_ || open_steps_ != 0 || pauses_ != pause; };
    if (decay_wake_.wait_for(lock, patience, over)) continue;
    trimmed = pause;
    lock.unlock();
    Trim();
    lock.lock();
  }
}

}  // namespace plimsoll
