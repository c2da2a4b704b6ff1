#include "allocators/planner_arena/planner/joins.h"

#include <algorithm>
#include <utility>

namespace plimsoll {
namespace {

// A change that leaves more rectangles than there were is kept once in so many times for
// each of them: often enough to leave dead ends, seldom enough to go down. Tilings differ in
// what they need, and walks by their seed.
constexpr uint64_t kKeepOneIn[] = {400, 20, 2000, 80};

// Of the changes: what wrong joins hide is found by taking any piece out of what it is part
// of, not only what another wants. Without this most walks end far from one rectangle.
constexpr uint64_t kTakeOutOneIn = 5;
constexpr uint64_t kPinwheelOneIn = 4;

uint64_t Mix(uint64_t x) {
  x ^= x >> 31;
  x *= 0xd6e8feb86659fd93;
  x ^= x >> 32;
  return x * 0xd6e8feb86659fd93;
}

void Erase(std::vector<int32_t>& list, int32_t node) {
  *std::find(list.begin(), list.end(), node) = list.back();
  list.pop_back();
}

}  // namespace

bool IsTiling(const Part& part) {
  return std::all_of(part.totals.begin(), part.totals.end(),
                     [&](int64_t total) { return total == part.lower_bound; });
}

Joins::Joins(const Part& part, uint64_t seed)
    : num_items_(part.items.size()),
      keep_one_in_(kKeepOneIn[seed % std::size(kKeepOneIn)]),
      random_(seed),
      ending_(part.totals.size() + 1) {
  nodes_.reserve(2 * num_items_);
  for (const Item& item : part.items) {
    const int32_t node = NewNode();
    At(node).item = item;
    Appear(node);
    AddRoot(node);
    unsettled_.push_back(node);
  }
  Settle();
  SettlePinwheels();
  Forget();
}

uint64_t Joins::LifetimeKey(int32_t first, int32_t last) {
  return Mix((static_cast<uint64_t>(first) << 32) + static_cast<uint64_t>(last));
}
uint64_t Joins::BeginKey(int32_t first, int64_t size) {
  return Mix(static_cast<uint64_t>(size) * 3 + 1) + static_cast<uint64_t>(first);
}
uint64_t Joins::EndKey(int32_t last, int64_t size) {
  return Mix(static_cast<uint64_t>(size) * 3 + 2) + static_cast<uint64_t>(last);
}

const Joins::List& Joins::Found(uint64_t key) const {
  static const List nothing;
  const auto found = index_.find(key);
  return found == index_.end() ? nothing : found->second;
}

int32_t Joins::RootOf(int32_t node) const {
  while (At(node).parent >= 0) node = At(node).parent;
  return node;
}

void Joins::AddRoot(int32_t node) {
  At(node).place = static_cast<int32_t>(roots_.size());
  roots_.push_back(node);
}

void Joins::RemoveRoot(int32_t node) {
  const int32_t place = At(node).place;
  roots_[static_cast<size_t>(place)] = roots_.back();
  At(roots_.back()).place = place;
  roots_.pop_back();
  At(node).place = -1;
}

void Joins::Appear(int32_t node) {
  const Item& item = At(node).item;
  At(node).alive = true;
  // An offset that suits the rectangle need not suit what is in it.
  if (item.alignment != 1) return;
  index_[LifetimeKey(item.first, item.last)].push_back(node);
  index_[BeginKey(item.first, item.size)].push_back(node);
  index_[EndKey(item.last, item.size)].push_back(node);
  ending_[static_cast<size_t>(item.last)].push_back(node);
}

void Joins::Vanish(int32_t node) {
  const Item& item = At(node).item;
  At(node).alive = false;
  Erase(index_[LifetimeKey(item.first, item.last)], node);
  Erase(index_[BeginKey(item.first, item.size)], node);
  Erase(index_[EndKey(item.last, item.size)], node);
  Erase(ending_[static_cast<size_t>(item.last)], node);
}

int32_t Joins::NewNode() {
  if (unused_.empty()) {
    nodes_.emplace_back();
    return static_cast<int32_t>(nodes_.size() - 1);
  }
  const int32_t node = unused_.back();
  unused_.pop_back();
  At(node) = Node();
  return node;
}

int32_t Joins::JoinAll(Kind kind, const std::array<int32_t, 5>& children, const Item& item) {
  const int32_t node = NewNode();
  At(node).item = item;
  At(node).kind = kind;
  At(node).children = children;
  Restore(node);
  steps_.push_back({node, true});
  return node;
}

void Joins::Restore(int32_t node) {
  for (const int32_t child : At(node).children) {
    if (child < 0) continue;
    RemoveRoot(child);
    At(child).parent = node;
  }
  Appear(node);
  AddRoot(node);
}

void Joins::Remove(int32_t node) {
  Vanish(node);
  RemoveRoot(node);
  for (const int32_t child : At(node).children) {
    if (child < 0) continue;
    At(child).parent = -1;
    AddRoot(child);
  }
}

void Joins::Break(int32_t node) {
  Remove(node);
  steps_.push_back({node, false});
  for (const int32_t child : At(node).children) {
    if (child >= 0) unsettled_.push_back(child);
  }
}

void Joins::BreakAbove(int32_t node) {
  List above;
  if (!At(node).alive) return;
  for (int32_t up = At(node).parent; up >= 0; up = At(up).parent) above.push_back(up);
  for (; !above.empty(); above.pop_back()) Break(above.back());
}

void Joins::Undo() {
  for (size_t s = steps_.size(); s-- > 0;) {
    steps_[s].joined ? Remove(steps_[s].node) : Restore(steps_[s].node);
  }
  Forget();
}

void Joins::Forget() {
  for (const Step& step : steps_) {
    Node& node = At(step.node);
    if (node.alive || node.reusable) continue;
    node.reusable = true;
    unused_.push_back(step.node);
  }
  steps_.clear();
}

void Joins::FindPartners(int32_t node, bool all) {
  partners_.clear();
  const Item item = At(node).item;
  if (item.alignment != 1) return;
  const auto consider = [&](const List& list, auto fits) {
    for (const int32_t other : list) {
      if (other == node || (!all && At(other).parent >= 0) || !fits(At(other).item)) continue;
      if (At(other).parent >= 0 && RootOf(other) == node) continue;
      partners_.push_back(other);
    }
  };
  consider(Found(LifetimeKey(item.first, item.last)),
           [&](const Item& other) { return other.first == item.first && other.last == item.last; });
  consider(Found(BeginKey(item.last, item.size)),
           [&](const Item& other) { return other.first == item.last && other.size == item.size; });
  consider(Found(EndKey(item.first, item.size)),
           [&](const Item& other) { return other.last == item.first && other.size == item.size; });
}

int32_t Joins::Join(int32_t a, int32_t b) {
  if (At(a).item.first > At(b).item.first) std::swap(a, b);
  Item item = At(a).item;
  const Item& other = At(b).item;
  const bool stacked = item.first == other.first && item.last == other.last;
  if (stacked) {
    item.size += other.size;
  } else {
    item.last = other.last;
    item.width += other.width;
  }
  return JoinAll(stacked ? Kind::kStack : Kind::kChain, {a, b, -1, -1, -1}, item);
}

// The sizes of a pinwheel's arms tell which: left and top are as high as right and bottom,
// and left is as much larger than bottom as the middle is large.
bool Joins::FindPinwheel(int32_t middle, bool all) {
  const Item& in = At(middle).item;
  if (in.alignment != 1) return false;
  const auto may = [&](int32_t node) { return all || At(node).parent < 0; };
  uint64_t found = 0;
  for (const int32_t left : ending_[static_cast<size_t>(in.first)]) {
    const Item& l = At(left).item;
    if (!may(left) || l.size <= in.size) continue;
    for (const int32_t bottom : Found(BeginKey(in.first, l.size - in.size))) {
      const Item& b = At(bottom).item;
      if (!may(bottom) || b.first != in.first || b.size != l.size - in.size) continue;
      if (b.last <= in.last) continue;
      for (const int32_t top : Found(LifetimeKey(l.first, in.last))) {
        const Item& t = At(top).item;
        if (!may(top) || t.first != l.first || t.last != in.last) continue;
        const int64_t size = l.size + t.size - b.size;
        for (const int32_t right : Found(LifetimeKey(in.last, b.last))) {
          const Item& r = At(right).item;
          if (!may(right) || r.first != in.last || r.last != b.last || r.size != size) continue;
          // Each as likely as the others.
          if (random_() % ++found == 0) pinwheel_ = {left, top, right, bottom, middle};
        }
      }
    }
  }
  return found > 0;
}

bool Joins::JoinPinwheel() {
  for (const int32_t part : pinwheel_) BreakAbove(part);
  // One may have been in another.
  if (!std::all_of(pinwheel_.begin(), pinwheel_.end(), [&](int32_t n) { return At(n).alive; })) {
    return false;
  }
  Item item = At(pinwheel_[0]).item;
  const Item& bottom = At(pinwheel_[3]).item;
  item.last = bottom.last;
  item.size += At(pinwheel_[1]).item.size;
  item.width += bottom.width;
  unsettled_.push_back(JoinAll(Kind::kPinwheel, pinwheel_, item));
  return true;
}

void Joins::Settle() {
  while (!unsettled_.empty()) {
    const size_t k = random_() % unsettled_.size();
    const int32_t node = unsettled_[k];
    unsettled_[k] = unsettled_.back();
    unsettled_.pop_back();
    if (!At(node).alive || At(node).parent >= 0) continue;
    FindPartners(node, /*all=*/false);
    if (partners_.empty()) continue;
    unsettled_.push_back(Join(node, partners_[random_() % partners_.size()]));
  }
}

void Joins::SettlePinwheels() {
  for (size_t before = 0; before != roots_.size();) {
    before = roots_.size();
    for (const int32_t middle : List(roots_)) {
      if (!At(middle).alive || At(middle).parent >= 0) continue;
      if (FindPinwheel(middle, /*all=*/false) && JoinPinwheel()) Settle();
    }
  }
}

void Joins::Change() {
  const size_t before = roots_.size();
  const int32_t root = roots_[random_() % before];
  if (random_() % kTakeOutOneIn == 0) {
    const List& near = ending_[static_cast<size_t>(At(root).item.first)];
    const auto any = near.empty() || random_() % 2 == 0
                         ? static_cast<int32_t>(random_() % nodes_.size())
                         : near[random_() % near.size()];
    if (At(any).alive) {
      BreakAbove(any);
      unsettled_.push_back(any);
    }
  } else if (random_() % kPinwheelOneIn == 0) {
    if (FindPinwheel(root, /*all=*/true)) JoinPinwheel();
  } else {
    FindPartners(root, /*all=*/true);
    if (!partners_.empty()) {
      const int32_t partner = partners_[random_() % partners_.size()];
      BreakAbove(partner);
      unsettled_.push_back(Join(root, partner));
    }
  }
  Settle();
  bool keep = true;
  for (size_t after = roots_.size(); keep && after > before; --after) {
    keep = random_() % keep_one_in_ == 0;
  }
  keep ? Forget() : Undo();
}

bool Joins::Run(int64_t changes, const Deadline& deadline) {
  const size_t before = roots_.size();
  for (int64_t c = 0; c < changes && roots_.size() > 1; ++c) {
    if (c % 256 == 0 && deadline.HasPassed()) break;
    Change();
  }
  return roots_.size() < before;
}

std::vector<Buffer> Joins::Rectangles() const {
  std::vector<Buffer> buffers;
  buffers.reserve(roots_.size());
  for (const int32_t root : roots_) {
    const Item& item = At(root).item;
    buffers.push_back({item.first, item.last, item.size, item.alignment});
  }
  return buffers;
}

std::vector<int64_t> Joins::Expand(const std::vector<int64_t>& offsets) const {
  std::vector<int64_t> by_item(num_items_, 0);
  std::vector<std::pair<int32_t, int64_t>> open;
  for (size_t r = 0; r < roots_.size(); ++r) open.emplace_back(roots_[r], offsets[r]);
  while (!open.empty()) {
    const auto [index, offset] = open.back();
    open.pop_back();
    const Node& node = At(index);
    const auto size = [&](size_t child) { return At(node.children[child]).item.size; };
    switch (node.kind) {
      case Kind::kItem:
        by_item[static_cast<size_t>(index)] = offset;
        break;
      case Kind::kStack:
        open.emplace_back(node.children[0], offset);
        open.emplace_back(node.children[1], offset + size(0));
        break;
      case Kind::kChain:
        open.emplace_back(node.children[0], offset);
        open.emplace_back(node.children[1], offset);
        break;
      case Kind::kPinwheel:
        open.emplace_back(node.children[0], offset);
        open.emplace_back(node.children[1], offset + size(0));
        open.emplace_back(node.children[2], offset + size(3));
        open.emplace_back(node.children[3], offset);
        open.emplace_back(node.children[4], offset + size(3));
        break;
    }
  }
  return by_item;
}

}  // namespace plimsoll
