#include "allocators/planner_arena/arena_timeline.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace plimsoll {
namespace {

// Steps over which the need for committed pages is looked at before some are given back.
constexpr uint64_t kNeedWindow = 64;
// A step whose misses hold more than this, and more than an eighth of its plan, had
// better run without the plan: what it holds idle is worth more than what it serves.
constexpr int64_t kLeastToAbandon = int64_t{4} << 20;

uint32_t Log2Of(size_t alignment) {
  return static_cast<uint32_t>(std::countr_zero(std::max<size_t>(alignment, kGranuleBytes)));
}

// Decides whether lanes share bytes: only if that makes the plan lower.
std::shared_ptr<Schedule> MakeSchedule(PlanOrder& order, const PlanFunction& planner,
                                       double seconds, uint64_t most_bytes) {
  if (order.profile.lanes.size() < 2) {
    Layout layout = MakeLayout(order.profile, planner, seconds, most_bytes);
    return std::make_shared<Schedule>(order.profile, std::move(layout));
  }
  const StepProfile& latest = order.latest.lanes.empty() ? order.profile : order.latest;
  Layout apart = MakeLayoutByLane(latest, planner, seconds / 2, most_bytes);
  if (!order.lanes_apart) {
    Layout joint = MakeLayout(order.profile, planner, seconds / 2, most_bytes);
    if (joint.height < apart.height) {
      return std::make_shared<Schedule>(order.profile, std::move(joint));
    }
  }
  order.lanes_apart = true;
  return std::make_shared<Schedule>(latest, std::move(apart));
}

}  // namespace

Timeline::Timeline(uint32_t index, const Shared& shared)
    : index_(index),
      shared_(shared),
      range_(shared.configuration, shared.pages, shared.budget),
      plans_(static_cast<size_t>(shared.configuration.max_plans)),
      learner_(shared.configuration) {}

Timeline::~Timeline() { WaitForPlan(); }

Timeline::Begun Timeline::BeginStep(uint64_t shape_key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (serve_.load() != 0) return Begun::kBusy;
  step_ = Step{};
  step_.id = ++steps_;
  step_.shape_key = shape_key;
  step_.allocs_before = SumAllocs();
  step_.misses_before = SumMisses();
  const bool new_plans = plans_ready_.load(std::memory_order_acquire) && InstallPlans();
  step_.waiting = plans_.all().empty() && !in_work_.empty();
  plan_.reset();
  missed_bytes_.store(0, std::memory_order_relaxed);
  missed_step_.store(step_.id, std::memory_order_relaxed);
  // From here on, claims of the step before that are still on their way undo themselves.
  serve_.store(++last_serve_);
  if (shared_.configuration.enable_memory_optimization) {
    step_.wanted = learner_.WantsStep(step_.id);
    if (step_.wanted || recorder_.Following()) StartRecording();
  }
  return new_plans ? Begun::kOpenWithNewPlans : Begun::kOpen;
}

void Timeline::StartRecording() {
  step_.recording = true;
  recorder_.BeginStep(step_.id);
  recording_.store(true, std::memory_order_relaxed);
}

bool Timeline::EndStep() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  serve_.store(0);
  StepOutcome outcome;
  outcome.step = step_.id;
  outcome.plan = step_.plan;
  outcome.shape_key = step_.shape_key;
  outcome.unknown_shape = step_.unknown_shape;
  outcome.requests = SumAllocs() - step_.allocs_before;
  outcome.misses = step_.abandoned ? outcome.requests : SumMisses() - step_.misses_before;
  if (step_.plan != 0 || step_.abandoned) learner_.Note(outcome);
  if (step_.recording) {
    try {
      Learn(outcome);
    } catch (const std::bad_alloc&) {
      DropRecording();
    }
  }
  NoteFit(outcome);
  if (KeptPlan* const plan = plans_.Find(step_.plan)) {
    ++plan->steps;
    ++planned_steps_;
    if (KeptPlan* const previous = plans_.Find(previous_plan_)) previous->followed_by = plan->id;
  }
  previous_plan_ = step_.plan;
  previous_serve_ = last_serve_;
  if (steps_ % kNeedWindow == 0) {
    try {
      ShrinkToRecentNeed();
    } catch (const std::bad_alloc&) {  // it looks again at the end of the next window
    }
  }
  return step_.abandoned;
}

// From the recorded step that ends.
void Timeline::Learn(const StepOutcome& outcome) {
  const bool collecting = learner_.collecting();
  if (std::optional<StepProfile> profile = recorder_.EndStep(step_.wanted)) {
    QueuePlans(learner_.Consider(*std::move(profile), kept_outcome_, plans_));
  }
  // The last step of the collection was followed by this one, which is not wanted then.
  if (collecting && !learner_.collecting()) recorder_.Forget();
  if (step_.wanted) kept_outcome_ = outcome;
  recording_.store(recorder_.Following(), std::memory_order_relaxed);
}

// There is no memory to go on with it.
void Timeline::DropRecording() noexcept {
  step_.recording = false;
  step_.wanted = false;
  recorder_.Drop();
  recording_.store(false, std::memory_order_relaxed);
  RestartIfIdle();
}

// Nothing came of what was to be planned: collects anew.
void Timeline::RestartIfIdle() noexcept {
  if (plans_.all().empty() && in_work_.empty() && !learner_.collecting()) learner_.Restart();
}

// What the step that ends says of the plans that it seemed to fit.
void Timeline::NoteFit(const StepOutcome& outcome) {
  const int64_t permille = outcome.Drifted() ? outcome.misses * 1000 / outcome.requests : 0;
  for (const uint64_t id : step_.tried) {
    KeptPlan* const plan = plans_.Find(id);
    if (plan == nullptr) continue;
    plan->missed_permille = permille;
    plan->missed_in_row = outcome.MissedMuch() ? plan->missed_in_row + 1 : 0;
  }
}

// Picks the plan for the step that is open by its first request.
void Timeline::ChoosePlan(uint32_t lane, uint32_t size, uint32_t alignment_log2) {
  step_.chosen = true;
  if (plans_.all().empty()) return;
  KeptPlan* plan = plans_.Choose(step_.shape_key, lane, size, alignment_log2, previous_plan_);
  if (plan == nullptr) {
    plan = plans_.Broadest();
    step_.unknown_shape = true;
    step_.lent = true;
    const Schedule& schedule = *plan->schedule;
    const uint32_t first = schedule.LaneBegin(lane);
    const bool larger = first < schedule.LaneEnd(lane) && schedule.slot(first).size < size;
    if (learner_.WantsUnknownShape(step_.id, larger)) {
      step_.wanted = true;
      if (!step_.recording) StartRecording();
    }
  }
  Activate(plan, previous_serve_);
}

// Serves the open step from `plan`. Its blocks of serve number `previous` may live on
// if that was planned; other live blocks bar the slots that share their bytes. With
// `previous`, no step has yet claimed anything under the present number.
void Timeline::Activate(KeptPlan* plan, uint64_t previous) noexcept {
  plan_.reset();
  step_.plan = 0;
  Schedule& schedule = *plan->schedule;
  if (!range_.Prepare(schedule.height() * kGranuleBytes)) return;
  try {
    Ready(*plan, previous);
    if (!step_.lent) step_.tried.push_back(plan->id);
  } catch (const std::bad_alloc&) {  // the step goes on without a plan
    return;
  }
  plan_ = plan->schedule;
  step_.plan = plan->id;
  recent_need_ = std::max(recent_need_, schedule.height());
  abandon_at_.store(
      std::max(kLeastToAbandon, static_cast<int64_t>(schedule.height() * kGranuleBytes / 8)),
      std::memory_order_relaxed);
}

// Bars what may not be claimed in the step.
void Timeline::Ready(KeptPlan& plan, uint64_t previous) {
  Schedule& schedule = *plan.schedule;
  // Slots are looked at only if need be: what other threads' slots say stands in their
  // caches. All counts are known when every thread left its step before it ended. Counted
  // before the carried ones are looked at: one that is freed in between then counts too much.
  const int64_t live = LiveBlocks();
  if (previous == 0 || undeclared_ || live != schedule.CarriedLive(previous)) {
    schedule.Prepare(last_serve_, previous, plans_.LiveRanges(&schedule));
    plans_.MarkUsed(plan, step_.id);
    plans_.ForgetIdle(schedule);
  } else {
    plans_.MarkOnlyUsed(plan, step_.id);
  }
}

Lane* Timeline::AcquireLane() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& lane : lanes_) {
    if (lane->taken) continue;
    lane->taken = true;
    return lane.get();
  }
  auto lane = std::make_unique<Lane>();
  lane->timeline = this;
  lane->index = static_cast<uint32_t>(lanes_.size());
  lane->taken = true;
  lanes_.push_back(std::move(lane));
  return lanes_.back().get();
}

void Timeline::ReleaseLane(Lane* lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lane->taken = false;
  lane->serve = 0;
  lane->plan = nullptr;
  lane->pin.reset();
}

bool Timeline::EnterStep(Lane& lane, Entry entry, size_t bytes, size_t alignment) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t serve = serve_.load();
  if (serve == 0) return false;
  undeclared_ = undeclared_ || entry == Entry::kUndeclared;
  if (lane.step != step_.id) {
    lane.step = step_.id;
    lane.part = TakePart(lane, entry);
    lane.requests = 0;
    lane.strays = 0;
    lane.departed = false;
    lane.recorded = {};
  }
  if (!step_.chosen) {
    const uint64_t size = (bytes + kGranuleBytes - 1) / kGranuleBytes;
    ChoosePlan(lane.part, static_cast<uint32_t>(std::min<uint64_t>(size, Schedule::kNone)),
               Log2Of(alignment));
  }
  if (lane.serve != serve) Enter(lane);
  return true;
}

// A lane has its own part in every step, but the thread that began the step has the first:
// another one may begin the next, as in a pool that serves requests.
uint32_t Timeline::TakePart(const Lane& lane, Entry entry) {
  if (lane.index == 0 || (entry == Entry::kBegan && !step_.first_part_taken)) {
    if (lane.index != 0) step_.instead = lane.index;
    if (!std::exchange(step_.first_part_taken, true)) return 0;
    return step_.instead;
  }
  return lane.index;
}

// Places the lane in the plan that serves, as far along as it has come in the step.
void Timeline::Enter(Lane& lane) {
  lane.serve = last_serve_;
  lane.recording = step_.recording;
  lane.maps = step_.recording || step_.abandoned || step_.waiting;
  lane.lent = step_.lent;
  lane.pin = plan_;
  lane.plan = plan_.get();
  lane.committed = static_cast<uint32_t>(range_.committed() / kGranuleBytes);
  lane.next = lane.end = 0;
  if (lane.plan == nullptr) return;
  lane.end = lane.plan->LaneEnd(lane.part);
  lane.next = std::min(lane.plan->LaneBegin(lane.part) + lane.requests, lane.end);
}

void Timeline::QueuePlans(std::vector<PlanOrder> orders) {
  orders_.insert(orders_.end(), std::make_move_iterator(orders.begin()),
                 std::make_move_iterator(orders.end()));
  if (in_work_.empty()) StartPlanning();
}

void Timeline::StartPlanning() noexcept {
  if (orders_.empty()) return;
  in_work_ = std::exchange(orders_, {});
  try {
    planned_.assign(in_work_.size(), nullptr);
  } catch (const std::bad_alloc&) {
    in_work_.clear();
    RestartIfIdle();
    return;
  }
  uint64_t most_bytes = ReservationOf(shared_.configuration);
  if (shared_.configuration.limit_bytes != 0) {
    most_bytes = std::min(most_bytes, shared_.configuration.limit_bytes);
  }
  if (shared_.configuration.plan_in_background) {
    try {
      planning_ = shared_.start_thread([this, most_bytes] { MakePlans(most_bytes); });
      return;
    } catch (...) {  // no thread is to be had: the step that ends waits for its plan
    }
  }
  MakePlans(most_bytes);
}

void Timeline::MakePlans(uint64_t most_bytes) noexcept {
  const double seconds = shared_.configuration.plan_seconds / static_cast<double>(in_work_.size());
  for (size_t i = 0; i < in_work_.size(); ++i) {
    try {
      planned_[i] = MakeSchedule(in_work_[i], shared_.planner, seconds, most_bytes);
    } catch (...) {  // a planner that fails costs this plan, not the program
    }
  }
  plans_ready_.store(true, std::memory_order_release);
}

void Timeline::WaitForPlan() {
  // Held until the thread has ended: who comes second must not return before.
  const std::lock_guard<std::mutex> waiting(waiting_);
  std::thread planning;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    planning = std::move(planning_);
  }
  if (planning.joinable()) planning.join();
}

// Returns whether there was one that is not superfluous by now.
bool Timeline::InstallPlans() {
  if (planning_.joinable()) planning_.join();
  plans_ready_.store(false, std::memory_order_relaxed);
  bool any = false;
  try {
    any = InstallAll();
  } catch (const std::bad_alloc&) {  // the rest is lost, and learnt again when it is missed
  }
  in_work_.clear();
  planned_.clear();
  StartPlanning();
  RestartIfIdle();
  return any;
}

bool Timeline::InstallAll() {
  bool any = false;
  for (size_t i = 0; i < in_work_.size(); ++i) {
    const PlanOrder& order = in_work_[i];
    if (planned_[i] == nullptr) continue;
    uint64_t replaces = order.replaces;
    bool superfluous = false;
    // While this one was planned, another for the same purpose may have come first.
    for (const auto& kept : plans_.all()) {
      if (kept->covers_shapes != order.covers_shapes || kept->shape_key != order.shape_key) {
        continue;
      }
      const StepProfile& profile = kept->schedule->profile();
      if (order.covers_shapes && profile.SameStructure(order.profile)) {
        replaces = kept->id;
        superfluous = kept->id != order.replaces && profile.Covers(order.profile);
      } else if (profile.SameRequests(order.profile)) {
        replaces = kept->id;
      }
    }
    if (superfluous) continue;
    KeptPlan plan;
    plan.schedule = planned_[i];
    plan.shape_key = order.shape_key;
    plan.covers_shapes = order.covers_shapes;
    plan.lanes_apart = order.lanes_apart;
    plan.made_in_step = step_.id;
    plans_.Add(std::move(plan), replaces);
    any = true;
  }
  return any;
}

std::vector<ArenaRange::Bytes> Timeline::LiveBytes() {
  std::vector<ArenaRange::Bytes> live;
  for (const Schedule::Range& range : plans_.LiveRanges(nullptr)) {
    live.push_back({range.begin * kGranuleBytes, range.end * kGranuleBytes});
  }
  // A claim on its way to be undone may look live across a block that is.
  ArenaRange::Normalize(live);
  return live;
}

size_t Timeline::Trim() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return serve_.load() != 0 ? 0 : GiveBackFree();
}

size_t Timeline::GiveWay() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (plan_ != nullptr && serve_.load() != 0) LeavePlan();
  return GiveBackFree();
}

size_t Timeline::IdleBytes() {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t live = 0;
  for (const ArenaRange::Bytes& block : LiveBytes()) live += block.end - block.begin;
  return range_.committed() - std::min(live, range_.committed());
}

// REQUIRES: no plan serves.
size_t Timeline::GiveBackFree() noexcept {
  if (range_.base() == 0) return 0;
  try {
    const std::vector<ArenaRange::Bytes> live = LiveBytes();
    const size_t above = range_.ShrinkTo(live.empty() ? 0 : live.back().end);
    return above + range_.DiscardAllBut(live);
  } catch (const std::bad_alloc&) {  // not even to tell what is live
    return 0;
  }
}

// Gives back what no plan of the last two windows of steps reached.
void Timeline::ShrinkToRecentNeed() {
  const uint32_t need = std::max(recent_need_, earlier_need_);
  earlier_need_ = std::exchange(recent_need_, 0);
  if (range_.base() == 0 || need * kGranuleBytes >= range_.committed()) return;
  const std::vector<ArenaRange::Bytes> live = LiveBytes();
  range_.ShrinkTo(std::max(need * kGranuleBytes, live.empty() ? 0 : live.back().end));
}

int64_t Timeline::SumMisses() const {
  int64_t misses = 0;
  for (const auto& lane : lanes_) {
    for (const LaneCounter& counter : lane->counters.misses) misses += counter.Get();
  }
  return misses;
}

int64_t Timeline::SumAllocs() const {
  int64_t allocs = 0;
  for (const auto& lane : lanes_) allocs += lane->counters.allocs.Get();
  return allocs;
}

// From plans. At least as many as are live now: what is released meanwhile may be counted.
int64_t Timeline::LiveBlocks() const {
  int64_t blocks = -released_.load(std::memory_order_acquire);
  for (const auto& lane : lanes_) blocks += lane->counters.live.GetAcquiring();
  return blocks;
}

Timeline::Report Timeline::GetReport() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Report report;
  for (const auto& lane : lanes_) {
    const LaneCounters& counters = lane->counters;
    report.allocs += counters.allocs.Get();
    report.bytes += counters.bytes.Get();
    report.largest = std::max(report.largest, counters.largest.Get());
    report.peak = std::max(report.peak, counters.peak.Get());
    report.unplanned += counters.unplanned.Get();
    for (size_t c = 0; c < kSizeClasses; ++c) {
      report.hits[c] += counters.hits[c].Get();
      report.misses[c] += counters.misses[c].Get();
    }
  }
  report.phase = !shared_.configuration.enable_memory_optimization ? "off"
                 : !plans_.all().empty()                           ? "serving"
                 : !in_work_.empty()                               ? "planning"
                 : recording_.load(std::memory_order_relaxed)      ? "recording"
                                                                   : "waiting";
  report.steps = static_cast<int64_t>(steps_);
  report.planned_steps = planned_steps_;
  report.recorded_steps = learner_.recorded_steps();
  report.stable_steps = learner_.stable_steps();
  report.committed_bytes = static_cast<int64_t>(range_.committed());
  report.hints_taken = range_.hints_taken();
  report.live = LiveBytes();
  report.live_bytes_by_site = plans_.LiveBytesBySite();
  size_t free_from = 0;
  const auto see_free = [&](size_t end) {
    if (end > free_from) {
      report.largest_free_bytes =
          std::max(report.largest_free_bytes, static_cast<int64_t>(end - free_from));
    }
  };
  for (const ArenaRange::Bytes& block : report.live) {
    see_free(block.begin);
    free_from = block.end;
  }
  see_free(range_.committed());
  for (const auto& plan : plans_.all()) {
    report.plans.push_back({plan->schedule, plan->id, plan->shape_key, plan->covers_shapes,
                            plan->lanes_apart, plan->steps,
                            static_cast<int64_t>(steps_ - plan->made_in_step)});
  }
  return report;
}

}  // namespace plimsoll
