#include "allocators/planner_arena/planner/instances.h"

#include <algorithm>
#include <cstddef>
#include <queue>
#include <utility>

namespace plimsoll {
namespace {

// SplitMix64: the standard library's distributions differ from one to the other.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // From `least` to `most`, both possible.
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(Next() % static_cast<uint64_t>(most - least + 1));
  }

 private:
  uint64_t state_;
};

struct Tile {
  int64_t left, right, bottom, top;  // ticks, ticks, bytes, bytes
  int64_t Width() const { return right - left; }
  int64_t Height() const { return top - bottom; }
};

constexpr int64_t kSide = int64_t{1} << 20;
constexpr int64_t kLeastSize = 16;
constexpr int64_t kRow = 64;

// A cut between `from` and `to` that leaves `margin` on both sides.
int64_t CutBetween(Random& random, int64_t from, int64_t to, int64_t margin) {
  return random.Between(from + margin, to - margin);
}

// Cuts a rectangle into tiles of at least one tick and `least_size` bytes.
class Cutter {
 public:
  Cutter(uint64_t seed, Cuts cuts, int64_t least_size)
      : random_(seed), cuts_(cuts), least_size_(least_size) {}

  std::vector<Tile> Cut(const Tile& whole, size_t count) {
    const auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::priority_queue<std::pair<uint64_t, Tile>, std::vector<std::pair<uint64_t, Tile>>,
                        decltype(less)>
        open(less);
    std::vector<Tile> done;
    open.push({Key(whole), whole});
    for (size_t division = 1; open.size() + done.size() < count; ++division) {
      const Tile tile = open.top().second;
      open.pop();
      if (tile.Width() < 2 && tile.Height() < 2 * least_size_) {
        done.push_back(tile);
        continue;
      }
      pieces_.clear();
      if (cuts_ == Cuts::kPinwheels && division % 3 == 1 && CanTurn(tile)) {
        Pinwheel(tile);
      } else {
        CutInTwo(tile);
      }
      for (const Tile& piece : pieces_) open.push({Key(piece), piece});
    }
    for (; !open.empty(); open.pop()) done.push_back(open.top().second);
    return done;
  }

  Random& random() { return random_; }

 private:
  // The piece to cut is one of the largest: drawn by area, then not lost to a sliver.
  uint64_t Key(const Tile& t) {
    const auto area = static_cast<uint64_t>(t.Width() * t.Height());
    return area / 4 + random_.Next() % (area + 1);
  }
  bool CanTurn(const Tile& t) const { return t.Width() >= 3 && t.Height() >= 3 * least_size_; }

  // Four arms around a middle.
  void Pinwheel(const Tile& t) {
    const int64_t x1 = CutBetween(random_, t.left, t.right - 1, 1);
    const int64_t x2 = CutBetween(random_, x1, t.right, 1);
    const int64_t y1 = CutBetween(random_, t.bottom, t.top - least_size_, least_size_);
    const int64_t y2 = CutBetween(random_, y1, t.top, least_size_);
    pieces_.push_back({t.left, x1, t.bottom, y2});
    pieces_.push_back({t.left, x2, y2, t.top});
    pieces_.push_back({x2, t.right, y1, t.top});
    pieces_.push_back({x1, t.right, t.bottom, y1});
    pieces_.push_back({x1, x2, y1, y2});
  }

  void CutInTwo(const Tile& t) {
    const bool can_time = t.Width() >= 2;
    const bool can_size = t.Height() >= 2 * least_size_;
    const bool in_size = can_size && (!can_time || random_.Next() % 2 == 0);
    if (in_size) {
      const int64_t y = CutBetween(random_, t.bottom, t.top, least_size_);
      pieces_.push_back({t.left, t.right, t.bottom, y});
      pieces_.push_back({t.left, t.right, y, t.top});
    } else {
      const int64_t x = CutBetween(random_, t.left, t.right, 1);
      pieces_.push_back({t.left, x, t.bottom, t.top});
      pieces_.push_back({x, t.right, t.bottom, t.top});
    }
  }

  Random random_;
  const Cuts cuts_;
  const int64_t least_size_;
  std::vector<Tile> pieces_;
};

void Shuffle(Random& random, std::vector<Buffer>& buffers) {
  for (size_t i = buffers.size(); i > 1; --i) {
    std::swap(buffers[i - 1], buffers[random.Next() % i]);
  }
}

}  // namespace

std::vector<Buffer> PerfectTiles(int32_t count, Cuts cuts, uint64_t seed) {
  Cutter cutter(seed, cuts, kLeastSize);
  std::vector<Buffer> buffers;
  for (const Tile& t : cutter.Cut({0, kSide, 0, kSide}, static_cast<size_t>(count))) {
    buffers.push_back({t.left, t.right, t.Height(), 1});
  }
  Shuffle(cutter.random(), buffers);
  return buffers;
}

std::vector<Buffer> CoarseTiles(int32_t count, int64_t ticks, int64_t rows, uint64_t seed) {
  Cutter cutter(seed, Cuts::kGuillotine, 1);
  std::vector<Buffer> buffers;
  for (const Tile& t : cutter.Cut({0, ticks, 0, rows}, static_cast<size_t>(count))) {
    buffers.push_back({t.left, t.right, t.Height() * kRow, 1});
  }
  Shuffle(cutter.random(), buffers);
  return buffers;
}

std::vector<Buffer> RandomBuffers(int32_t count, uint64_t seed) {
  Random random(seed);
  std::vector<Buffer> buffers;
  buffers.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    const int64_t lower = random.Between(0, int64_t{8} * count);
    const int64_t size = int64_t{1} << random.Between(6, 20);
    buffers.push_back({lower, lower + random.Between(1, 1000), random.Between(size / 2, size), 1});
  }
  return buffers;
}

std::vector<Buffer> TraceLike(int32_t count, uint64_t seed) {
  Random random(seed);
  std::vector<int64_t> sizes;
  for (int i = 0; i < 64; ++i) sizes.push_back(256 * random.Between(1, int64_t{1} << (i / 4)));
  const int64_t end = int64_t{4} * count;
  std::vector<Buffer> buffers;
  buffers.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    const int64_t size = sizes[random.Next() % sizes.size()];
    const int64_t kind = random.Between(0, 199);
    const int64_t lower = random.Between(0, end - 1);
    if (kind == 0) {
      buffers.push_back({0, end, size, 1});
    } else if (kind <= 20) {
      const int64_t forward = lower / 2;
      buffers.push_back(
          {forward, std::max(forward + 1, end - forward - random.Between(0, 8)), size, 1});
    } else {
      buffers.push_back({lower, lower + random.Between(1, 40), size, 1});
    }
  }
  return buffers;
}

}  // namespace plimsoll
