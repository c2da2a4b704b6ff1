#include "harness/verdict/pattern.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

namespace plimsoll {
namespace {

constexpr uint32_t kParts = 8;       // of the second half
constexpr uint32_t kLeastParts = 7;  // of them with survivors
constexpr uint32_t kLeastSlots = 8;  // of a period, in the second half
constexpr double kConspicuous = 1e-3;
constexpr uint32_t kStepShare = 64;  // of the judged epochs a step may take one in so many

std::string Ordinal(uint32_t k) {
  const char* suffix = "th";
  if (k % 100 < 11 || k % 100 > 13) {
    if (k % 10 == 1) suffix = "st";
    if (k % 10 == 2) suffix = "nd";
    if (k % 10 == 3) suffix = "rd";
  }
  return std::to_string(k) + suffix;
}

uint32_t CountOver(std::span<const uint32_t> positions, uint32_t bound) {
  return static_cast<uint32_t>(positions.end() -
                               std::upper_bound(positions.begin(), positions.end(), bound));
}

}  // namespace

std::optional<Period> FindPeriod(std::span<const uint32_t> positions, uint32_t m, uint32_t half) {
  std::vector<bool> taken(m + 1, false);
  for (const uint32_t position : positions) taken[position] = true;
  const uint32_t in_second_half = CountOver(positions, half);
  std::optional<Period> best;
  for (uint32_t k = 1; k <= (m - half) / kLeastSlots; ++k) {
    for (uint32_t phase = 1; phase <= k; ++phase) {
      uint32_t position = phase;
      while (position <= m && taken[position]) position += k;
      if (position <= m) continue;
      const uint32_t in_first_half = half < phase ? 0 : (half - phase) / k + 1;
      const uint32_t slots = (m - phase) / k + 1 - in_first_half;
      const double pairs = slots == in_second_half ? 2 : static_cast<double>(k) * k * (k + 1.0);
      const Period found = {.length = k, .slots = slots, .search_bits = std::log2(pairs)};
      if (!best || found.slots - found.search_bits > best->slots - best->search_bits) best = found;
    }
  }
  return best;
}

bool Persists(std::span<const uint32_t> positions, uint32_t m, uint32_t half) {
  std::array<bool, kParts> covered = {};
  for (const uint32_t position : positions) {
    if (position > half) covered[(position - half - 1ull) * kParts / (m - half)] = true;
  }
  return std::count(covered.begin(), covered.end(), true) >= kLeastParts;
}

bool Stopped(std::span<const uint32_t> positions, uint32_t m, uint32_t half) {
  const double taken = CountOver(positions, half);
  const uint32_t last = positions.back();
  // One more epoch without survivors than seen, so that a rate of 1 is not certainty.
  const double rate = taken / (last - half + 1.0);
  return (m - last) * std::log1p(-rate) < std::log(kConspicuous);
}

std::string DescribePattern(const Shape& shape, std::span<const uint32_t> positions, uint32_t m,
                            uint32_t start) {
  const uint32_t first = start + positions.front();
  const uint32_t last = start + positions.back();
  std::string text;
  if (shape.period) {
    text =
        *shape.period == 1 ? "every iteration" : "every " + Ordinal(*shape.period) + " iteration";
  } else if (first == last) {
    return "one step, at iteration " + std::to_string(first);
  } else if (last - first <= std::max(3u, m / kStepShare)) {
    return "one step, at iterations " + std::to_string(first) + " to " + std::to_string(last);
  } else {
    const double span = shape.late ? m - positions.front() + 1 : m;
    const double one_in = span / static_cast<double>(positions.size());
    char number[64];
    std::snprintf(number, sizeof number, "%.*f", one_in < 9.95 ? 1 : 0, one_in);
    text = std::string("about one in ") + number + " iterations";
  }
  if (shape.late) text += ", from iteration " + std::to_string(first) + " on";
  if (shape.slowing) text += ", slowing down";
  return text;
}

}  // namespace plimsoll
