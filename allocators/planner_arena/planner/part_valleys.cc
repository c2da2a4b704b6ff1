#include "allocators/planner_arena/planner/part_valleys.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <limits>
#include <queue>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

constexpr int64_t kNoEdge = std::numeric_limits<int64_t>::max();  // beside the first and last

// Preferences, in descending order of weight.
constexpr double kFillsValley = 1000;
constexpr double kLevelWithNeighbour = 300;
constexpr double kWidth = 100;  // times the share of the valley
constexpr double kPerturbation = 20;

// Items with a free edge inside a valley: so many beginnings are looked at.
constexpr int kMostInside = 20;
constexpr size_t kMostLooks = 500;  // at each item, on average

// The items that are left, by the section where they begin and by where they end.
class Remaining {
 public:
  explicit Remaining(const Part& part)
      : part_(part),
        begin_(part.totals.size() + 1),
        end_(part.totals.size() + 1),
        leaves_(std::bit_ceil(part.totals.size() + 1)),
        least_end_(2 * leaves_, kNone) {
    for (size_t i = 0; i < part.items.size(); ++i) {
      begin_[At(part.items[i].first)].push_back(static_cast<int32_t>(i));
      end_[At(part.items[i].last)].push_back(static_cast<int32_t>(i));
    }
    for (size_t section = 0; section < begin_.size(); ++section) {
      least_end_[leaves_ + section] = LeastEnd(section);
    }
    for (size_t node = leaves_ - 1; node > 0; --node) Update(node);
  }

  const std::vector<int32_t>& BeginningAt(int32_t section) const { return begin_[At(section)]; }
  const std::vector<int32_t>& EndingAt(int32_t section) const { return end_[At(section)]; }

  // The first section from `section` on where an item begins that ends by `last`; -1: none.
  int32_t NextBeginning(int32_t section, int32_t last) const {
    return Next(1, 0, static_cast<int32_t>(leaves_), section, last);
  }

  void Take(int32_t i) {
    const Item& item = part_.items[At(i)];
    Erase(begin_[At(item.first)], i);
    Erase(end_[At(item.last)], i);
    size_t node = leaves_ + At(item.first);
    least_end_[node] = LeastEnd(At(item.first));
    for (node /= 2; node > 0; node /= 2) Update(node);
  }

 private:
  static constexpr int32_t kNone = std::numeric_limits<int32_t>::max();

  static size_t At(int32_t index) { return static_cast<size_t>(index); }
  // In place: the order among what is left decides between equals.
  static void Erase(std::vector<int32_t>& items, int32_t i) {
    items.erase(std::find(items.begin(), items.end(), i));
  }
  int32_t LeastEnd(size_t section) const {
    int32_t least = kNone;
    for (const int32_t i : begin_[section]) least = std::min(least, part_.items[At(i)].last);
    return least;
  }
  void Update(size_t node) {
    least_end_[node] = std::min(least_end_[2 * node], least_end_[2 * node + 1]);
  }
  int32_t Next(size_t node, int32_t low, int32_t high, int32_t section, int32_t last) const {
    if (high <= section || low >= last || least_end_[node] > last) return -1;
    if (high - low == 1) return low;
    const int32_t middle = low + (high - low) / 2;
    const int32_t left = Next(2 * node, low, middle, section, last);
    return left >= 0 ? left : Next(2 * node + 1, middle, high, section, last);
  }

  const Part& part_;
  std::vector<std::vector<int32_t>> begin_;
  std::vector<std::vector<int32_t>> end_;
  size_t leaves_;
  std::vector<int32_t> least_end_;  // a tree of minima over the sections of `begin_`
};

// The tops of what lies, as maximal level pieces from left to right.
class Skyline {
 public:
  struct Piece {
    int32_t first = 0;
    int32_t last = 0;
    int64_t top = 0;
    int32_t left = -1;  // the piece beside it; -1: none
    int32_t right = -1;
    bool gone = false;  // part of another
  };

  explicit Skyline(int32_t sections) {
    pieces_.push_back({.first = 0, .last = sections});
    Queue(0);
  }

  // The lowest piece, the leftmost of equals.
  int32_t Lowest() {
    for (;;) {
      const auto [top, first, index] = queue_.top();
      const Piece& piece = (*this)[index];
      if (!piece.gone && piece.top == top && piece.first == first) return index;
      queue_.pop();
    }
  }
  const Piece& operator[](int32_t index) const { return pieces_[static_cast<size_t>(index)]; }
  int64_t TopOf(int32_t neighbour) const {
    return neighbour < 0 ? kNoEdge : (*this)[neighbour].top;
  }

  // Raises [first, last), which lies inside the piece, to `top`.
  void Raise(int32_t index, int32_t first, int32_t last, int64_t top) {
    const Piece whole = (*this)[index];
    if (whole.first < first) Split(index, whole.first, first, whole.top, /*to_left=*/true);
    if (last < whole.last) Split(index, last, whole.last, whole.top, /*to_left=*/false);
    Piece& piece = At(index);
    piece.first = first;
    piece.last = last;
    piece.top = top;
    Absorb(index, piece.left);
    Absorb(index, At(index).right);
    Queue(index);
  }

 private:
  Piece& At(int32_t index) { return pieces_[static_cast<size_t>(index)]; }
  void Queue(int32_t index) { queue_.emplace((*this)[index].top, (*this)[index].first, index); }
  void Split(int32_t index, int32_t first, int32_t last, int64_t top, bool to_left) {
    const auto rest = static_cast<int32_t>(pieces_.size());
    const int32_t beyond = to_left ? At(index).left : At(index).right;
    pieces_.push_back({first, last, top, to_left ? beyond : index, to_left ? index : beyond});
    (to_left ? At(index).left : At(index).right) = rest;
    if (beyond >= 0) (to_left ? At(beyond).right : At(beyond).left) = rest;
    Queue(rest);
  }
  void Absorb(int32_t index, int32_t neighbour) {
    if (neighbour < 0 || At(neighbour).top != At(index).top) return;
    Piece& piece = At(index);
    Piece& other = At(neighbour);
    other.gone = true;
    if (piece.left == neighbour) {
      piece.first = other.first;
      piece.left = other.left;
      if (piece.left >= 0) At(piece.left).right = index;
    } else {
      piece.last = other.last;
      piece.right = other.right;
      if (piece.right >= 0) At(piece.right).left = index;
    }
  }

  using Entry = std::tuple<int64_t, int32_t, int32_t>;  // top, first, index
  std::vector<Piece> pieces_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

// Chooses what to lay into a valley.
class Chooser {
 public:
  Chooser(const Part& part, const Remaining& remaining, uint64_t seed)
      : part_(part),
        remaining_(remaining),
        random_(seed),
        perturb_(seed != 0),
        by_size_(seed % 2 == 1),
        bound_(static_cast<double>(std::max<int64_t>(1, part.lower_bound))) {}

  // An item, or -1 when none fits into the valley between tops `left` and `right`.
  int32_t Choose(const Skyline::Piece& valley, int64_t left, int64_t right) {
    best_ = -1;
    best_score_ = -1;
    for (const int32_t i : remaining_.BeginningAt(valley.first)) Consider(i, valley, left, right);
    for (const int32_t i : remaining_.EndingAt(valley.last)) {
      if (ItemAt(i).first > valley.first) Consider(i, valley, left, right);
    }
    if (best_ >= 0) return best_;
    int32_t section = valley.first;
    for (int n = 0; n < kMostInside; ++n) {
      section = remaining_.NextBeginning(section + 1, valley.last);
      if (section < 0) break;
      for (const int32_t i : remaining_.BeginningAt(section)) Consider(i, valley, left, right);
    }
    return best_;
  }
  size_t looks() const { return looks_; }

 private:
  const Item& ItemAt(int32_t i) const { return part_.items[static_cast<size_t>(i)]; }
  void Consider(int32_t i, const Skyline::Piece& valley, int64_t left, int64_t right) {
    ++looks_;
    const Item& item = ItemAt(i);
    if (item.last > valley.last || item.first < valley.first) return;
    const bool at_left = item.first == valley.first;
    const bool at_right = item.last == valley.last;
    const int64_t top = valley.top + item.size;
    const double width = static_cast<double>(item.last - item.first) /
                         static_cast<double>(valley.last - valley.first);
    double score = kWidth * width;
    if (by_size_) score += kWidth * static_cast<double>(item.size) / bound_;
    if (at_left && at_right) score += kFillsValley;
    if (at_left && top == left) score += kLevelWithNeighbour;
    if (at_right && top == right) score += kLevelWithNeighbour;
    if (perturb_) score += kPerturbation * static_cast<double>(random_() >> 11) * 0x1p-53;
    if (score <= best_score_) return;
    best_score_ = score;
    best_ = i;
  }

  const Part& part_;
  const Remaining& remaining_;
  std::mt19937_64 random_;
  const bool perturb_;
  const bool by_size_;  // odd seeds prefer large items, too
  const double bound_;
  int32_t best_ = -1;
  double best_score_ = -1;
  size_t looks_ = 0;
};

}  // namespace

std::optional<PartPlan> FillValleys(const Part& part, uint64_t seed, int64_t give_up,
                                    const Deadline& deadline) {
  PartPlan plan;
  plan.offsets.assign(part.items.size(), 0);
  Remaining remaining(part);
  Skyline skyline(static_cast<int32_t>(part.totals.size()));
  Chooser chooser(part, remaining, seed);
  for (size_t placed = 0; placed < part.items.size();) {
    const int32_t lowest = skyline.Lowest();
    const Skyline::Piece valley = skyline[lowest];
    const int64_t left = skyline.TopOf(valley.left);
    const int64_t right = skyline.TopOf(valley.right);
    const int32_t chosen = chooser.Choose(valley, left, right);
    if (chooser.looks() > kMostLooks * part.items.size()) return std::nullopt;
    if (chosen < 0) {
      // Without neighbours everything that is left fits.
      skyline.Raise(lowest, valley.first, valley.last, std::min(left, right));
      continue;
    }
    const Item& item = part.items[static_cast<size_t>(chosen)];
    const int64_t offset = AlignUp(valley.top, item.alignment);
    plan.offsets[static_cast<size_t>(chosen)] = offset;
    plan.height = std::max(plan.height, offset + item.size);
    if (plan.height >= give_up) return std::nullopt;
    skyline.Raise(lowest, item.first, item.last, offset + item.size);
    remaining.Take(chosen);
    if (++placed % 64 == 0 && deadline.HasPassed()) return std::nullopt;
  }
  return plan;
}

}  // namespace plimsoll
