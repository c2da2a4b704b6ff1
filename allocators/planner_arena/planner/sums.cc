#include "allocators/planner_arena/planner/sums.h"

#include <algorithm>
#include <cstddef>
#include <map>

namespace plimsoll {
namespace {

constexpr int64_t kMostKnown = int64_t{1} << 17;

}  // namespace

Sums::Sums(const Part& part, int64_t most) {
  const bool padded = std::any_of(part.items.begin(), part.items.end(),
                                  [](const Item& item) { return item.alignment > 1; });
  if (padded || most >= kMostKnown) return;
  known_ = most + 1;
  bits_.assign(static_cast<size_t>(known_ / 64 + 1), 0);
  bits_[0] = 1;
  std::map<int64_t, int64_t> count;
  for (const Item& item : part.items) ++count[item.size];
  // Of n equal ones, any number up to n is a sum of some of 1, 2, 4, ... and the rest.
  for (auto [size, left] : count) {
    for (int64_t together = 1; left > 0; together *= 2) {
      const int64_t taken = std::min(together, left);
      left -= taken;
      if (size > most / taken) break;
      Add(size * taken);
    }
  }
}

// All sums, and all of them with `size` on top.
void Sums::Add(int64_t size) {
  const auto words = static_cast<size_t>(size / 64);
  const auto shift = static_cast<unsigned>(size % 64);
  // From the top, so that each word is read before it changes.
  for (size_t w = bits_.size(); w-- > words;) {
    uint64_t moved = bits_[w - words] << shift;
    if (shift > 0 && w > words) moved |= bits_[w - words - 1] >> (64 - shift);
    bits_[w] |= moved;
  }
}

int64_t Sums::AtMost(int64_t units) const {
  if (units >= known_) return units;
  while (!Has(units)) --units;
  return units;
}

int64_t Sums::AtLeast(int64_t units) const {
  while (units < known_ && !Has(units)) ++units;
  return units;
}

}  // namespace plimsoll
