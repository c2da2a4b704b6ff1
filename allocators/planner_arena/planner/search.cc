#include "allocators/planner_arena/planner/search.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace plimsoll {
namespace {

constexpr int kRounds = 3;
constexpr size_t kFirstRefutedSlots = size_t{1} << 10;
constexpr size_t kMostRefutedSlots = size_t{1} << 22;

constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio

uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  x ^= x >> 32;
  return x;
}

}  // namespace

Search::Search(const Part& part, std::vector<int32_t> order, int64_t capacity,
               bool any_tight_section)
    : order_(std::move(order)), capacity_(capacity), any_tight_section_(any_tight_section) {
  const size_t n = part.items.size();
  const size_t sections = part.totals.size();
  for (const int32_t i : order_) {
    const Item& item = part.items[static_cast<size_t>(i)];
    first_.push_back(item.first);
    last_.push_back(item.last);
    size_.push_back(item.size);
    alignment_.push_back(item.alignment);
  }
  placed_.assign(n, 0);
  marked_.assign(n, 0);
  offset_.assign(n, 0);
  bound_.assign(n, 0);
  total_ = part.totals;
  floor_.assign(sections, 0);
  least_top_.assign(sections, 0);
  head_.assign(sections, 0);
  crossing_.assign(sections, 0);
  refuted_.assign(kFirstRefutedSlots, {});
  for (size_t i = 0; i < n; ++i) {
    for (int32_t s = first_[i] + 1; s < last_[i]; ++s) ++crossing_[s];
  }
  FindNeighbours();
  FindTwins();
  Component all;
  all.count = n;
  all.last = static_cast<int32_t>(sections);
  pool_.resize(n);
  std::iota(pool_.begin(), pool_.end(), 0);
  const int32_t failed = Descend(-1, all);
  if (failed != kNobody) outcome_ = Outcome::kDoesNotFit;
}

void Search::FindNeighbours() {
  const size_t n = size_.size();
  live_begin_.assign(total_.size() + 1, 0);
  for (size_t i = 0; i < n; ++i) {
    for (int32_t s = first_[i]; s < last_[i]; ++s) ++live_begin_[s + 1];
  }
  std::partial_sum(live_begin_.begin(), live_begin_.end(), live_begin_.begin());
  live_.resize(live_begin_.back());
  std::vector<size_t> fill(live_begin_.begin(), live_begin_.end() - 1);
  for (size_t i = 0; i < n; ++i) {
    for (int32_t s = first_[i]; s < last_[i]; ++s) live_[fill[s]++] = static_cast<int32_t>(i);
  }
  std::vector<int32_t> by_size(n);
  std::iota(by_size.begin(), by_size.end(), 0);
  std::sort(by_size.begin(), by_size.end(),
            [&](int32_t i, int32_t j) { return std::tie(size_[i], i) < std::tie(size_[j], j); });
  neighbours_begin_.push_back(0);
  for (size_t i = 0; i < n; ++i) {
    for (const int32_t j : by_size) {
      if (first_[j] < last_[i] && first_[i] < last_[j] && j != static_cast<int32_t>(i)) {
        neighbours_.push_back(j);
      }
    }
    neighbours_begin_.push_back(neighbours_.size());
  }
}

void Search::FindTwins() {
  const size_t n = size_.size();
  twin_before_.assign(n, -1);
  twin_after_.assign(n, -1);
  std::vector<int32_t> alike(n);
  std::iota(alike.begin(), alike.end(), 0);
  const auto key = [&](int32_t i) {
    return std::make_tuple(first_[i], last_[i], size_[i], alignment_[i]);
  };
  std::sort(alike.begin(), alike.end(),
            [&](int32_t i, int32_t j) { return key(i) != key(j) ? key(i) < key(j) : i < j; });
  for (size_t k = 1; k < n; ++k) {
    if (key(alike[k - 1]) != key(alike[k])) continue;
    twin_before_[alike[k]] = alike[k - 1];
    twin_after_[alike[k - 1]] = alike[k];
  }
}

Search::Outcome Search::Run(int64_t nodes) {
  const int64_t limit = nodes_ + nodes;
  while (outcome_ == Outcome::kUndecided && nodes_ < limit) {
    Frame& frame = frames_.back();
    if (frame.tried == frame.num_candidates) {
      Refute(frame.hash);
      Fail(frame.component.parent);
      continue;
    }
    const int32_t item = pool_[frame.candidates + frame.tried];
    const auto here = static_cast<int32_t>(frames_.size() - 1);
    frame.undo = undo_.size();
    if (!Place(item)) {
      Fail(here);
      continue;
    }
    Component left = frame.component;
    if (frame.lowest) left.level = std::max(left.level, offset_[item]);
    left.begin = pool_.size();
    left.count = 0;
    for (size_t k = 0; k < frame.component.count; ++k) {
      const int32_t j = pool_[frame.component.begin + k];
      if (j == item) continue;
      pool_.push_back(j);
      ++left.count;
    }
    const int32_t failed = Descend(here, left);
    if (failed != kNobody) Fail(failed);
  }
  return outcome_;
}

std::vector<int64_t> Search::Offsets() const {
  std::vector<int64_t> offsets(offset_.size());
  for (size_t i = 0; i < offset_.size(); ++i) offsets[order_[i]] = offset_[i];
  return offsets;
}

void Search::Fail(int32_t index) {
  if (index < 0) {
    frames_.clear();
    outcome_ = Outcome::kDoesNotFit;
    return;
  }
  frames_.resize(static_cast<size_t>(index) + 1);
  Frame& frame = frames_.back();
  Rewind(frame.undo);
  waiting_.resize(frame.waiting);
  pool_.resize(frame.candidates + frame.num_candidates);
  Mark(pool_[frame.candidates + frame.tried]);
  ++frame.tried;
}

int32_t Search::Descend(int32_t parent, const Component& left) {
  ++nodes_;
  if (left.count == 0) return Finish(left);
  if (!FindBounds(left)) return parent;
  // The sections in which nothing reaches over from the section before divide it.
  Component same = left;
  while (total_[same.first] == 0) ++same.first;
  while (total_[same.last - 1] == 0) --same.last;
  same.parent = parent;
  const auto crossings = crossing_.begin();
  if (std::find(crossings + same.first + 1, crossings + same.last, 0) == crossings + same.last) {
    return Open(same);
  }
  std::vector<int32_t>& items = pool_;
  const auto begin = items.begin() + static_cast<ptrdiff_t>(left.begin);
  std::sort(begin, begin + static_cast<ptrdiff_t>(left.count),
            [&](int32_t i, int32_t j) { return std::tie(first_[i], i) < std::tie(first_[j], j); });
  const size_t mark = waiting_.size();
  size_t k = 0;
  while (k < left.count) {
    Component piece;
    piece.begin = left.begin + k;
    piece.first = first_[items[piece.begin]];
    piece.last = piece.first;
    piece.level = left.level;
    piece.parent = parent;
    do {
      piece.last = std::max(piece.last, last_[items[left.begin + k]]);
      ++k;
    } while (k < left.count && first_[items[left.begin + k]] < piece.last);
    piece.count = left.begin + k - piece.begin;
    waiting_.push_back(piece);
  }
  std::sort(waiting_.begin() + static_cast<ptrdiff_t>(mark), waiting_.end(),
            [](const Component& a, const Component& b) {
              return std::tie(a.count, a.begin) < std::tie(b.count, b.begin);
            });
  for (size_t w = mark; w < waiting_.size(); ++w) {
    waiting_[w].next = w + 1 < waiting_.size() ? static_cast<int32_t>(w + 1) : left.next;
  }
  const Component head = waiting_[mark];
  if (!FindBounds(head)) return parent;
  return Open(head);
}

int32_t Search::Finish(const Component& component) {
  if (component.next < 0) {
    outcome_ = Outcome::kFits;
    return kNobody;
  }
  const Component next = waiting_[static_cast<size_t>(component.next)];
  if (!FindBounds(next)) return next.parent;
  return Open(next);
}

int32_t Search::Open(const Component& component) {
  // What is alone lies where it lies.
  if (component.count == 1) {
    const int32_t item = pool_[component.begin];
    if (marked_[item] || !Place(item)) return component.parent;
    return Finish(component);
  }
  for (size_t k = 0; k < component.count; ++k) {
    const int32_t i = pool_[component.begin + k];
    if (bound_[i] > offset_[i] && !marked_[i]) Mark(i);
  }
  Frame frame;
  frame.component = component;
  frame.hash = HashOf(component);
  if (IsRefuted(frame.hash)) return component.parent;
  frame.waiting = waiting_.size();
  ChooseCandidates(frame);
  frames_.push_back(frame);
  return kNobody;
}

// A bound is no less than the offset. An item that was marked lies on one of its
// neighbours. One that cannot be the lowest of a section, because it and all others of
// the section would reach beyond the capacity, lies on another of the section.
bool Search::FindBounds(const Component& component) {
  const auto begin = pool_.begin() + static_cast<ptrdiff_t>(component.begin);
  const auto end = begin + static_cast<ptrdiff_t>(component.count);
  for (auto it = begin; it != end; ++it) {
    const int32_t i = *it;
    int64_t bound = std::max(offset_[i], component.level);
    if (marked_[i]) {
      int64_t lifted = kNever;
      for (size_t e = neighbours_begin_[i]; e < neighbours_begin_[i + 1]; ++e) {
        const int32_t j = neighbours_[e];
        if (component.level + size_[j] >= lifted) break;
        if (placed_[j]) continue;
        const int64_t top = std::max(offset_[j], component.level) + size_[j];
        // One that would end below may be lifted itself, and then lift this one a little.
        lifted = std::min(lifted, std::max(top, offset_[i] + 1));
      }
      bound = std::max(bound, lifted);
    }
    bound = AlignUp(bound, i);
    bound_[i] = bound;
    if (bound + size_[i] > capacity_) return false;
  }
  for (int round = 0;; ++round) {
    std::fill(floor_.begin() + component.first, floor_.begin() + component.last, kNever);
    std::fill(least_top_.begin() + component.first, least_top_.begin() + component.last, kNever);
    for (auto it = begin; it != end; ++it) {
      const int32_t i = *it;
      const int64_t bound = bound_[i];
      const int64_t top = bound + size_[i];
      for (int32_t s = first_[i]; s < last_[i]; ++s) {
        floor_[s] = std::min(floor_[s], bound);
        least_top_[s] = std::min(least_top_[s], top);
      }
    }
    for (int32_t s = component.first; s < component.last; ++s) {
      if (total_[s] > 0 && floor_[s] + total_[s] > capacity_) return false;
    }
    if (round == kRounds) break;
    bool changed = false;
    for (auto it = begin; it != end; ++it) {
      const int32_t i = *it;
      int64_t raised = bound_[i];
      for (int32_t s = first_[i]; s < last_[i]; ++s) {
        if (bound_[i] + total_[s] > capacity_) raised = std::max(raised, least_top_[s]);
      }
      if (raised > bound_[i]) {
        bound_[i] = AlignUp(raised, i);
        changed = true;
        if (bound_[i] + size_[i] > capacity_) return false;
      }
    }
    if (!changed) break;
  }
  // Each section as one machine: items run one after the other, none before its bound.
  for (auto it = begin; it != end; ++it) {
    const int32_t i = *it;
    auto at = it;
    for (; at != begin && bound_[*(at - 1)] > bound_[i]; --at) *at = *(at - 1);
    *at = i;
  }
  std::fill(head_.begin() + component.first, head_.begin() + component.last, 0);
  for (auto it = begin; it != end; ++it) {
    const int32_t i = *it;
    for (int32_t s = first_[i]; s < last_[i]; ++s) {
      head_[s] = std::max(head_[s], bound_[i]) + size_[i];
    }
  }
  for (int32_t s = component.first; s < component.last; ++s) {
    if (head_[s] > capacity_) return false;
  }
  return true;
}

void Search::ChooseCandidates(Frame& frame) {
  const Component& component = frame.component;
  frame.candidates = pool_.size();
  if (ChooseTightSection(frame)) return;
  int64_t least_top = kNever;
  for (size_t k = 0; k < component.count; ++k) {
    const int32_t i = pool_[component.begin + k];
    least_top = std::min(least_top, offset_[i] + size_[i]);
  }
  for (size_t k = 0; k < component.count; ++k) {
    const int32_t i = pool_[component.begin + k];
    if (marked_[i] || offset_[i] >= least_top) continue;
    if (twin_before_[i] >= 0 && !placed_[twin_before_[i]]) continue;
    pool_.push_back(i);
  }
  frame.num_candidates = pool_.size() - frame.candidates;
  std::sort(
      pool_.begin() + static_cast<ptrdiff_t>(frame.candidates), pool_.end(),
      [&](int32_t i, int32_t j) { return std::tie(offset_[i], i) < std::tie(offset_[j], j); });
}

// Where the floor and what is left fill a section to the brim, one of its items lies at
// the floor exactly.
bool Search::ChooseTightSection(Frame& frame) {
  const Component& component = frame.component;
  size_t least = SIZE_MAX;
  int32_t best = -1;
  for (int32_t s = component.first; s < component.last; ++s) {
    if (total_[s] == 0 || floor_[s] + total_[s] < capacity_) continue;
    size_t count = 0;
    for (size_t e = live_begin_[s]; e < live_begin_[s + 1] && count < least; ++e) {
      const int32_t i = live_[e];
      if (placed_[i] || bound_[i] != floor_[s]) continue;
      // If it may be lifted to the floor, or a neighbour may lie below it, placing it is
      // not all that can be tried.
      if (marked_[i] || offset_[i] != floor_[s] || MayLieAboveOthers(i, component.level)) {
        count = SIZE_MAX;
        break;
      }
      if (twin_before_[i] >= 0 && !placed_[twin_before_[i]]) continue;
      ++count;
    }
    if (count < least) {
      least = count;
      best = s;
    }
  }
  if (best < 0 || (!any_tight_section_ && least > 1)) return false;
  for (size_t e = live_begin_[best]; e < live_begin_[best + 1]; ++e) {
    const int32_t i = live_[e];
    if (placed_[i] || bound_[i] != floor_[best]) continue;
    if (twin_before_[i] >= 0 && !placed_[twin_before_[i]]) continue;
    pool_.push_back(i);
  }
  frame.lowest = false;
  frame.num_candidates = pool_.size() - frame.candidates;
  return true;
}

bool Search::MayLieAboveOthers(int32_t item, int64_t level) const {
  for (size_t e = neighbours_begin_[item]; e < neighbours_begin_[item + 1]; ++e) {
    const int32_t j = neighbours_[e];
    if (level + size_[j] > offset_[item]) break;
    if (!placed_[j] && bound_[j] + size_[j] <= offset_[item]) return true;
  }
  return false;
}

bool Search::Place(int32_t item) {
  const int64_t top = offset_[item] + size_[item];
  placed_[item] = 1;
  undo_.push_back({item, Change::kPlaced, false, 0});
  for (int32_t s = first_[item]; s < last_[item]; ++s) total_[s] -= size_[item];
  for (int32_t s = first_[item] + 1; s < last_[item]; ++s) --crossing_[s];
  if (top > capacity_) return false;
  for (size_t e = neighbours_begin_[item]; e < neighbours_begin_[item + 1]; ++e) {
    const int32_t j = neighbours_[e];
    if (placed_[j] || offset_[j] >= top) continue;
    undo_.push_back({j, Change::kRaised, marked_[j] != 0, offset_[j]});
    offset_[j] = AlignUp(top, j);
    marked_[j] = 0;
    if (offset_[j] + size_[j] > capacity_) return false;
  }
  return true;
}

// Where an item cannot lie, its twins cannot, either.
void Search::Mark(int32_t item) {
  for (int32_t i = item; i >= 0; i = twin_after_[i]) {
    if (marked_[i]) continue;
    marked_[i] = 1;
    undo_.push_back({i, Change::kMarked, false, 0});
  }
}

void Search::Rewind(size_t size) {
  while (undo_.size() > size) {
    const Undo undo = undo_.back();
    undo_.pop_back();
    const int32_t i = undo.item;
    switch (undo.change) {
      case Change::kPlaced:
        placed_[i] = 0;
        for (int32_t s = first_[i]; s < last_[i]; ++s) total_[s] += size_[i];
        for (int32_t s = first_[i] + 1; s < last_[i]; ++s) ++crossing_[s];
        break;
      case Change::kMarked:
        marked_[i] = 0;
        break;
      case Change::kRaised:
        offset_[i] = undo.offset;
        marked_[i] = undo.was_marked;
        break;
    }
  }
}

Search::Hash Search::HashOf(const Component& component) const {
  Hash hash;
  for (size_t k = 0; k < component.count; ++k) {
    const int32_t i = pool_[component.begin + k];
    const uint64_t where = static_cast<uint64_t>(offset_[i]) * 2 + marked_[i];
    const uint64_t who = static_cast<uint64_t>(i) + 1;
    hash.low += Mix(where * kOdd + who);
    hash.high += Mix(where + who * kOdd);
  }
  if (hash.low == 0) hash.low = 1;
  return hash;
}

bool Search::IsRefuted(const Hash& hash) const {
  return refuted_[hash.low & (refuted_.size() - 1)] == hash;
}

void Search::Refute(const Hash& hash) {
  Hash& slot = refuted_[hash.low & (refuted_.size() - 1)];
  num_refuted_ += slot.low == 0;
  slot = hash;
  if (num_refuted_ * 2 < refuted_.size() || refuted_.size() >= kMostRefutedSlots) return;
  std::vector<Hash> old(refuted_.size() * 4);
  old.swap(refuted_);
  num_refuted_ = 0;
  for (const Hash& h : old) {
    if (h.low == 0) continue;
    Hash& moved = refuted_[h.low & (refuted_.size() - 1)];
    num_refuted_ += moved.low == 0;
    moved = h;
  }
}

}  // namespace plimsoll
