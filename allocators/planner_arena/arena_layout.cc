#include "allocators/planner_arena/arena_layout.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace plimsoll {
namespace {

// A lifetime on the circle of `period` ticks: [begin, begin + length).
struct Arc {
  uint32_t lane = 0;
  uint32_t index = 0;
  int64_t begin = 0;
  int64_t length = 0;
  const ProfiledRequest* request = nullptr;
};

bool Plannable(const ProfiledRequest& request, uint64_t most_bytes) {
  if (request.bytes > most_bytes) return false;
  if (request.fate == Fate::kInStep) return true;
  // Still live when the next step asks for its successor: two would need the slot.
  return request.fate == Fate::kCarried && request.upper <= request.lower;
}

std::vector<Arc> Arcs(const StepProfile& profile, uint64_t most_bytes) {
  std::vector<Arc> arcs;
  for (uint32_t lane = 0; lane < profile.lanes.size(); ++lane) {
    for (uint32_t index = 0; index < profile.lanes[lane].size(); ++index) {
      const ProfiledRequest& r = profile.lanes[lane][index];
      if (!Plannable(r, most_bytes)) continue;
      const int64_t length =
          r.fate == Fate::kInStep ? r.upper - r.lower : profile.ticks - r.lower + r.upper;
      arcs.push_back({lane, index, r.lower, length, &r});
    }
  }
  return arcs;
}

// The tick at which the fewest bytes are live across it.
int64_t BestCut(const std::vector<Arc>& arcs, int64_t period) {
  // crossing[t] is the change from t - 1 to t of the bytes whose arc has t inside.
  std::vector<int64_t> crossing(period + 1, 0);
  for (const Arc& arc : arcs) {
    const auto bytes = static_cast<int64_t>(arc.request->bytes);
    const int64_t end = arc.begin + arc.length;
    crossing[std::min(arc.begin + 1, period)] += bytes;
    if (end <= period) {
      crossing[end] -= bytes;
    } else {
      crossing[0] += bytes;
      crossing[end - period] -= bytes;
    }
  }
  int64_t best = 0;
  int64_t least = crossing[0];
  int64_t live = crossing[0];
  for (int64_t t = 1; t < period; ++t) {
    live += crossing[t];
    if (live < least) {
      least = live;
      best = t;
    }
  }
  return best;
}

int64_t PeakLive(const std::vector<Arc>& arcs, int64_t period) {
  std::vector<int64_t> change(period + 1, 0);
  for (const Arc& arc : arcs) {
    const auto bytes = static_cast<int64_t>(arc.request->bytes);
    const int64_t end = arc.begin + arc.length;
    change[arc.begin] += bytes;
    if (end <= period) {
      change[end] -= bytes;
    } else {
      change[0] += bytes;
      change[end - period] -= bytes;
    }
  }
  int64_t live = 0;
  int64_t peak = 0;
  for (int64_t delta : change) {
    live += delta;
    peak = std::max(peak, live);
  }
  return peak;
}

}  // namespace

Layout MakeLayout(const StepProfile& profile, const PlanFunction& planner, double seconds,
                  uint64_t most_bytes) {
  Layout layout;
  layout.offsets.resize(profile.lanes.size());
  for (size_t i = 0; i < profile.lanes.size(); ++i) {
    layout.offsets[i].assign(profile.lanes[i].size(), Layout::kUnplanned);
  }
  const int64_t period = profile.ticks;
  const std::vector<Arc> arcs = Arcs(profile, most_bytes);
  if (arcs.empty()) return layout;
  const int64_t cut = BestCut(arcs, period);
  std::vector<Buffer> buffers;
  buffers.reserve(arcs.size());
  for (const Arc& arc : arcs) {
    Buffer buffer;
    buffer.lower = (arc.begin - cut + period) % period;
    buffer.upper = buffer.lower + arc.length;
    // It has the cut inside: its bytes are its own all the way round.
    if (buffer.upper > period) {
      buffer.lower = 0;
      buffer.upper = period;
    }
    buffer.size = static_cast<int64_t>(arc.request->Granules() * kGranuleBytes);
    buffer.alignment = arc.request->alignment;
    buffers.push_back(buffer);
  }
  const Plan plan = planner(buffers, seconds);
  layout.height = plan.height;
  layout.lower_bound = plan.lower_bound;
  layout.peak_live = PeakLive(arcs, period);
  for (size_t i = 0; i < arcs.size(); ++i) {
    layout.offsets[arcs[i].lane][arcs[i].index] = plan.offsets[i];
  }
  return layout;
}

Layout MakeLayoutByLane(const StepProfile& profile, const PlanFunction& planner, double seconds,
                        uint64_t most_bytes) {
  Layout all;
  all.peak_live = PeakLive(Arcs(profile, most_bytes), profile.ticks);
  for (const auto& requests : profile.lanes) {
    StepProfile alone;
    alone.lanes = {requests};
    alone.ticks = profile.ticks;
    const auto share = static_cast<double>(profile.lanes.size());
    Layout lane = MakeLayout(alone, planner, seconds / share, most_bytes);
    // Offsets stay aligned.
    int64_t unit = kGranuleBytes;
    for (const ProfiledRequest& request : requests) {
      unit = std::max<int64_t>(unit, request.alignment);
    }
    const int64_t bottom = (all.height + unit - 1) / unit * unit;
    for (int64_t& offset : lane.offsets.front()) {
      if (offset != Layout::kUnplanned) offset += bottom;
    }
    if (lane.height > 0) all.height = bottom + lane.height;
    all.lower_bound += lane.lower_bound;
    all.offsets.push_back(std::move(lane.offsets.front()));
  }
  return all;
}

}  // namespace plimsoll
