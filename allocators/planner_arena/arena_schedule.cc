#include "allocators/planner_arena/arena_schedule.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <unordered_set>
#include <utility>

namespace plimsoll {
namespace {

// Slots walked, at most, to find out that what preceded a slot is finished.
constexpr size_t kMaxWalk = 256;
// Unused slots of a size looked at, at most, for one that suits.
constexpr int kMaxProbes = 128;

// Which slot used each byte last, while slots are laid down in the order of requests.
class Surface {
 public:
  static constexpr uint32_t kNobody = UINT32_MAX;

  // Covers [begin, end) with `mark`; returns the marks that were visible there.
  std::vector<uint32_t> Cover(uint32_t begin, uint32_t end, uint32_t mark) {
    Split(begin);
    Split(end);
    std::vector<uint32_t> seen;
    const auto first = marks_.lower_bound(begin);
    const auto last = marks_.lower_bound(end);
    for (auto it = first; it != last; ++it) {
      if (it->second != kNobody) seen.push_back(it->second);
    }
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    marks_.erase(first, last);
    marks_[begin] = mark;
    return seen;
  }

  bool Empty(uint32_t begin, uint32_t end) const {
    auto it = marks_.upper_bound(begin);
    --it;
    for (; it != marks_.end() && it->first < end; ++it) {
      if (it->second != kNobody) return false;
    }
    return true;
  }

 private:
  void Split(uint32_t at) {
    const auto next = marks_.upper_bound(at);
    const auto before = std::prev(next);
    if (before->first != at) marks_[at] = before->second;
  }

  std::map<uint32_t, uint32_t> marks_ = {{0, kNobody}};  // from this offset to the next
};

}  // namespace

Schedule::Schedule(StepProfile profile, Layout layout)
    : profile_(std::move(profile)), layout_(std::move(layout)) {
  MakeSlots();
  for (const Slot& slot : slots_) {
    if (slot.offset != kNone) height_ = std::max(height_, slot.offset + slot.size);
  }
  MakeEdges();
  MakeOwners();
  MakeClasses();
  states_ = std::make_unique<SlotState[]>(slots_.size());
  requests_ = std::make_unique<RequestRef[]>(slots_.size());
}

void Schedule::MakeSlots() {
  for (uint32_t lane = 0; lane < profile_.lanes.size(); ++lane) {
    lane_begin_.push_back(static_cast<uint32_t>(slots_.size()));
    for (size_t j = 0; j < profile_.lanes[lane].size(); ++j) {
      const ProfiledRequest& request = profile_.lanes[lane][j];
      Slot slot;
      slot.size = static_cast<uint32_t>(std::min<uint64_t>(request.Granules(), kNone));
      slot.site = request.site;
      slot.alignment_log2 = static_cast<uint32_t>(std::countr_zero(request.alignment));
      const int64_t offset = layout_.offsets[lane][j];
      const uint64_t begin = static_cast<uint64_t>(offset) / kGranuleBytes;
      // What does not fit into 32 bits goes upstream.
      if (offset != Layout::kUnplanned && begin + request.Granules() < kNone) {
        slot.offset = static_cast<uint32_t>(begin);
      }
      carried_.push_back(request.fate == Fate::kCarried);
      if (carried_.back()) carried_slots_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.push_back(slot);
    }
  }
  lane_begin_.push_back(static_cast<uint32_t>(slots_.size()));
  slots_.push_back(Slot{});
}

void Schedule::MakeEdges() {
  Surface surface;
  std::vector<uint32_t> order;
  std::vector<int64_t> lower(num_slots());
  uint32_t i = 0;
  for (const auto& lane : profile_.lanes) {
    for (const ProfiledRequest& request : lane) lower[i++] = request.lower;
  }
  for (i = 0; i < num_slots(); ++i) {
    Slot& slot = slots_[i];
    if (slot.offset == kNone) continue;
    if (carried_[i]) {
      // At the start of a step its block of the step before may still be there. A plan
      // that stacks two such blocks on each other is wrong; this slot then goes unused.
      if (!surface.Empty(slot.offset, slot.offset + slot.size)) {
        slot.offset = kNone;
        continue;
      }
      surface.Cover(slot.offset, slot.offset + slot.size, i << 1 | 1);
    }
    order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(lower[a], a) < std::pair(lower[b], b);
  });
  std::vector<std::vector<uint32_t>> before(num_slots());
  for (uint32_t s : order) {
    before[s] = surface.Cover(slots_[s].offset, slots_[s].offset + slots_[s].size, s << 1);
    // Its own block of the step before: Claim looks at the slot's word anyway.
    std::erase(before[s], s << 1 | 1);
  }
  for (i = 0; i < num_slots(); ++i) {
    slots_[i].first_edge = static_cast<uint32_t>(edges_.size());
    edges_.insert(edges_.end(), before[i].begin(), before[i].end());
  }
  slots_[i].first_edge = static_cast<uint32_t>(edges_.size());
}

void Schedule::MakeOwners() {
  std::unordered_set<uint32_t> offsets;
  for (const Slot& slot : slots_) offsets.insert(slot.offset);
  const uint32_t size = std::bit_ceil(2 * static_cast<uint32_t>(offsets.size()));
  owner_mask_ = size - 1;
  owners_ = std::make_unique<Owner[]>(size);
  for (uint32_t i = 0; i < num_slots(); ++i) {
    if (slots_[i].offset == kNone) continue;
    uint32_t at = Hash(slots_[i].offset, owner_mask_);
    while (owners_[at].offset != kNone && owners_[at].offset != slots_[i].offset) {
      at = (at + 1) & owner_mask_;
    }
    owners_[at].offset = slots_[i].offset;
    slots_[i].owner = at;
  }
}

void Schedule::MakeClasses() {
  std::map<uint64_t, std::vector<uint32_t>> members;
  for (uint32_t i = 0; i < num_slots(); ++i) {
    if (slots_[i].offset == kNone) continue;
    members[ClassKey(slots_[i].size, slots_[i].alignment_log2)].push_back(i);
  }
  const uint32_t size = std::bit_ceil(2 * static_cast<uint32_t>(members.size()) + 2);
  class_mask_ = size - 1;
  classes_ = std::make_unique<SizeClass[]>(size);
  for (const auto& [key, slots] : members) {
    uint32_t at = Hash(key, class_mask_);
    while (classes_[at].key != 0) at = (at + 1) & class_mask_;
    classes_[at].key = key;
    classes_[at].begin = static_cast<uint32_t>(class_members_.size());
    class_members_.insert(class_members_.end(), slots.begin(), slots.end());
    classes_[at].end = static_cast<uint32_t>(class_members_.size());
  }
  used_up_ = std::make_unique<std::atomic<uint64_t>[]>(class_members_.size());
}

size_t Schedule::Prepare(uint64_t step, uint64_t previous, std::vector<Range> barred) {
  size_t overdue = 0;
  for (uint32_t i = 0; i < num_slots(); ++i) {
    const uint64_t word = states_[i].word.load();
    if (StateOf(word) != kLive) continue;
    if (carried_[i] && StepOf(word) == previous) continue;
    ++overdue;
    barred.push_back({slots_[i].offset, slots_[i].offset + slots_[i].size});
  }
  if (!barred.empty()) BarRanges(std::move(barred), step);
  return overdue;
}

void Schedule::BarRanges(std::vector<Range> ranges, uint64_t step) {
  const auto by_begin = [](const Range& a, const Range& b) { return a.begin < b.begin; };
  std::sort(ranges.begin(), ranges.end(), by_begin);
  // A claim on its way to be undone may look live across a block that is: for each range
  // the greatest end up to it.
  for (size_t r = 1; r < ranges.size(); ++r) {
    ranges[r].end = std::max(ranges[r].end, ranges[r - 1].end);
  }
  for (uint32_t i = 0; i < num_slots(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.offset == kNone) continue;
    const auto after =
        std::lower_bound(ranges.begin(), ranges.end(), Range{slot.offset + slot.size, 0}, by_begin);
    if (after != ranges.begin() && std::prev(after)->end > slot.offset) Bar(i, step);
  }
}

// Rules slot `i` out for the step. False: a block is live there.
bool Schedule::Bar(uint32_t i, uint64_t step) {
  uint64_t word = states_[i].word.load();
  while (StateOf(word) != kLive && StepOf(word) < step) {
    if (states_[i].word.compare_exchange_weak(word, Word(step, kSkipped))) return true;
  }
  return StateOf(word) != kLive;
}

int64_t Schedule::CarriedLive(uint64_t previous) const {
  return std::count_if(carried_slots_.begin(), carried_slots_.end(),
                       [&](uint32_t i) { return states_[i].word.load() == Word(previous, kLive); });
}

std::vector<Schedule::Range> Schedule::LiveRanges() const {
  std::vector<Range> ranges;
  for (uint32_t i = 0; i < num_slots(); ++i) {
    if (StateOf(states_[i].word.load()) != kLive) continue;
    ranges.push_back({slots_[i].offset, slots_[i].offset + slots_[i].size});
  }
  return ranges;
}

// Bars slot `first` and whatever unclaimed slot precedes it in its bytes. True when all
// of them are finished for this step; false when a live block is among them.
bool Schedule::FinishSkipped(uint32_t first, uint64_t step) {
  const uint64_t finished = Word(step, kFinished);
  struct Visit {
    uint32_t slot;
    uint32_t edge;
  };
  // Not on the heap: that may have nothing left, and the claim has to be undone then.
  std::array<Visit, kMaxWalk> path;
  size_t depth = 0;
  size_t walked = 0;
  const auto enter = [&](uint32_t i) {
    if (!Bar(i, step) || ++walked > kMaxWalk) return false;
    if (states_[i].word.load() != finished) path[depth++] = {i, slots_[i].first_edge};
    return true;
  };
  if (!enter(first)) return false;
  while (depth > 0) {
    Visit& top = path[depth - 1];
    if (top.edge == slots_[top.slot + 1].first_edge) {
      uint64_t skipped = Word(step, kSkipped);
      states_[top.slot].word.compare_exchange_strong(skipped, finished);
      --depth;
      continue;
    }
    const uint32_t edge = edges_[top.edge++];
    if (edge & 1) {
      if (LiveFromEarlier(edge >> 1, step)) return false;
    } else if (!enter(edge >> 1)) {
      return false;
    }
  }
  return true;
}

uint32_t Schedule::FindClass(uint32_t size, uint32_t alignment_log2) const {
  const uint64_t key = ClassKey(size, alignment_log2);
  uint32_t at = Hash(key, class_mask_);
  while (classes_[at].key != key) {
    if (classes_[at].key == 0) return kNone;
    at = (at + 1) & class_mask_;
  }
  return at;
}

bool Schedule::Has(uint32_t size, uint32_t alignment_log2) const {
  return FindClass(size, alignment_log2) != kNone;
}

uint32_t Schedule::FindUnused(const Wanted& wanted, uint32_t begin, uint32_t end) const {
  return Find(wanted, begin, end, [](uint32_t) { return true; });
}

uint32_t Schedule::FindReady(const Wanted& wanted) const {
  return Find(wanted, 0, num_slots(), [&](uint32_t i) { return Ready(i, wanted.step); });
}

template <typename Suits>
uint32_t Schedule::Find(const Wanted& wanted, uint32_t begin, uint32_t end, Suits suits) const {
  const uint32_t at = FindClass(wanted.size, wanted.alignment_log2);
  if (at == kNone) return kNone;
  const uint32_t members_end = classes_[at].end;
  const auto first = class_members_.begin();
  auto m = static_cast<uint32_t>(
      std::lower_bound(first + classes_[at].begin, first + members_end, begin) - first);
  uint32_t found = kNone;
  for (int probes = 0; probes < kMaxProbes; ++m) {
    m = SkipUsedUp(m, members_end, wanted.step);
    if (m == members_end || class_members_[m] >= end) break;
    const uint32_t i = class_members_[m];
    // Still live since an earlier step: it may come free in this one.
    if (StateOf(states_[i].word.load(std::memory_order_relaxed)) == kLive) continue;
    ++probes;
    if (!suits(i)) continue;
    if (slots_[i].site == wanted.site) return i;
    if (found == kNone) found = i;
  }
  return found;
}

// The first member from `from` on that may still be claimed in the step, or `end`. What it
// passes is passed at once the next time; used up is final within a step.
uint32_t Schedule::SkipUsedUp(uint32_t from, uint32_t end, uint64_t step) const {
  uint32_t m = from;
  uint32_t hops = 0;
  for (; m < end; ++hops) {
    if (StepOf(states_[class_members_[m]].word.load(std::memory_order_relaxed)) < step) break;
    const uint64_t known = used_up_[m].load(std::memory_order_relaxed);
    const auto next = static_cast<uint32_t>(known);
    m = known >> 32 == (step & UINT32_MAX) && next > m && next <= end ? next : m + 1;
  }
  if (hops > 1) used_up_[from].store(step << 32 | m, std::memory_order_relaxed);
  return m;
}

bool Schedule::Ready(uint32_t i, uint64_t step) const {
  const uint64_t finished = Word(step, kFinished);
  for (uint32_t e = slots_[i].first_edge; e < slots_[i + 1].first_edge; ++e) {
    const uint32_t before = edges_[e] >> 1;
    if (edges_[e] & 1 ? LiveFromEarlier(before, step) : states_[before].word.load() != finished) {
      return false;
    }
  }
  return true;
}

bool Schedule::Taken(uint32_t i, uint64_t step) const {
  const uint64_t word = states_[i].word.load(std::memory_order_relaxed);
  return StateOf(word) == kLive || word == Word(step, kFinished);
}

}  // namespace plimsoll
