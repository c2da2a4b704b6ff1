#include "allocators/planner_arena/profile.h"

#include <algorithm>
#include <utility>

namespace plimsoll {
namespace {

// `holds` is true of every pair of requests in the same place.
template <typename Holds>
bool Agree(const StepProfile& a, const StepProfile& b, Holds holds) {
  if (a.lanes.size() != b.lanes.size()) return false;
  for (size_t i = 0; i < a.lanes.size(); ++i) {
    if (!std::equal(a.lanes[i].begin(), a.lanes[i].end(), b.lanes[i].begin(), b.lanes[i].end(),
                    holds)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool StepProfile::SameStructure(const StepProfile& other) const {
  return Agree(*this, other, [](const ProfiledRequest& a, const ProfiledRequest& b) {
    return a.alignment == b.alignment;
  });
}

bool StepProfile::SameRequests(const StepProfile& other) const {
  return Agree(*this, other, [](const ProfiledRequest& a, const ProfiledRequest& b) {
    return a.Granules() == b.Granules() && a.alignment == b.alignment;
  });
}

bool StepProfile::Covers(const StepProfile& other) const {
  return Agree(*this, other, [](const ProfiledRequest& a, const ProfiledRequest& b) {
    return a.Granules() >= b.Granules();
  });
}

bool StepProfile::Merge(const StepProfile& other) {
  bool changed = other.ticks > ticks;
  ticks = std::max(ticks, other.ticks);
  for (size_t i = 0; i < lanes.size(); ++i) {
    for (size_t j = 0; j < lanes[i].size(); ++j) {
      ProfiledRequest& mine = lanes[i][j];
      const ProfiledRequest& theirs = other.lanes[i][j];
      ProfiledRequest merged = mine;
      merged.bytes = std::max(mine.bytes, theirs.bytes);
      merged.lower = std::min(mine.lower, theirs.lower);
      merged.fate = std::max(mine.fate, theirs.fate);
      // The later fate says on which step's clock `upper` is read.
      if (mine.fate == theirs.fate) {
        merged.upper = std::max(mine.upper, theirs.upper);
      } else if (theirs.fate == merged.fate) {
        merged.upper = theirs.upper;
      }
      changed = changed || merged.Granules() != mine.Granules() || merged.lower != mine.lower ||
                merged.upper != mine.upper || merged.fate != mine.fate;
      mine = merged;
    }
  }
  return changed;
}

void StepRecorder::BeginStep(uint64_t step) {
  if (closing_.id + 1 != step) closing_ = Step{};
  open_ = Step{step, {}};
  in_step_ = true;
}

RequestRef StepRecorder::Allocate(uint32_t lane, uint64_t bytes, uint32_t alignment,
                                  uint32_t site) {
  StepProfile& profile = open_.profile;
  if (lane >= profile.lanes.size()) profile.lanes.resize(lane + 1);
  auto& requests = profile.lanes[lane];
  ProfiledRequest request;
  request.bytes = std::max<uint64_t>(bytes, 1);
  request.alignment = std::max<uint32_t>(alignment, kGranuleBytes);
  request.site = site;
  request.lower = profile.ticks++;
  requests.push_back(request);
  return RequestRef{open_.id, lane, static_cast<uint32_t>(requests.size() - 1)};
}

void StepRecorder::Free(const RequestRef& request) {
  if (!request) return;
  if (request.step == open_.id) {
    ProfiledRequest& r = open_.profile.lanes[request.lane][request.index];
    r.fate = Fate::kInStep;
    r.upper = open_.profile.ticks++;
  } else if (request.step == closing_.id) {
    ProfiledRequest& r = closing_.profile.lanes[request.lane][request.index];
    r.fate = Fate::kCarried;
    // Between two steps is the very start of the next one.
    r.upper = in_step_ ? open_.profile.ticks++ : 0;
  }
}

void StepRecorder::Drop() noexcept {
  in_step_ = false;
  open_ = Step{};
  closing_ = Step{};
}

std::optional<StepProfile> StepRecorder::EndStep(bool keep) {
  in_step_ = false;
  std::optional<StepProfile> complete;
  if (closing_.id != 0) {
    complete = std::move(closing_.profile);
    // The two steps may differ in length; a tick of the next one is at most a whole step away.
    for (auto& lane : complete->lanes) {
      for (ProfiledRequest& r : lane) r.upper = std::min(r.upper, complete->ticks);
    }
  }
  closing_ = keep ? std::move(open_) : Step{};
  open_ = Step{};
  return complete;
}

}  // namespace plimsoll
