#include "allocators/planner_arena/planner/orders.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <numeric>

namespace plimsoll {
namespace {

// The greatest total over each item's sections: tables of maxima over powers of two.
std::vector<double> GreatestTotals(const Part& part) {
  std::vector<std::vector<int64_t>> table = {part.totals};
  for (size_t span = 2; span <= part.totals.size(); span *= 2) {
    const std::vector<int64_t>& half = table.back();
    std::vector<int64_t> whole(part.totals.size() - span + 1);
    for (size_t s = 0; s < whole.size(); ++s) whole[s] = std::max(half[s], half[s + span / 2]);
    table.push_back(std::move(whole));
  }
  std::vector<double> greatest;
  greatest.reserve(part.items.size());
  for (const Item& item : part.items) {
    const auto first = static_cast<size_t>(item.first);
    const auto last = static_cast<size_t>(item.last);
    const auto level = static_cast<size_t>(std::bit_width(last - first) - 1);
    const auto& row = table[level];
    greatest.push_back(static_cast<double>(std::max(row[first], row[last - (size_t{1} << level)])));
  }
  return greatest;
}

// Items that an item meets: all but those that end before it or begin after it.
std::vector<double> Meetings(const Part& part) {
  const size_t sections = part.totals.size();
  std::vector<int64_t> ended(sections + 1, 0);
  std::vector<int64_t> begun(sections + 1, 0);
  for (const Item& item : part.items) {
    ++ended[static_cast<size_t>(item.last)];
    ++begun[static_cast<size_t>(item.first) + 1];
  }
  std::partial_sum(ended.begin(), ended.end(), ended.begin());
  std::partial_sum(begun.begin(), begun.end(), begun.begin());
  std::vector<double> meetings;
  meetings.reserve(part.items.size());
  for (const Item& item : part.items) {
    meetings.push_back(static_cast<double>(begun[static_cast<size_t>(item.last)] -
                                           ended[static_cast<size_t>(item.first)]));
  }
  return meetings;
}

std::vector<double> ValuesOf(const Part& part, char key) {
  if (key == 'T') return GreatestTotals(part);
  if (key == 'N') return Meetings(part);
  std::vector<double> values;
  values.reserve(part.items.size());
  for (const Item& item : part.items) {
    const auto width = static_cast<double>(item.width);
    const auto size = static_cast<double>(item.size);
    values.push_back(key == 'W' ? width : key == 'A' ? width * size : size);
  }
  return values;
}

}  // namespace

std::vector<int32_t> OrderBy(const Part& part, std::string_view keys) {
  std::vector<std::array<double, 4>> values(part.items.size());
  for (size_t k = 0; k < keys.size(); ++k) {
    const std::vector<double> of_key = ValuesOf(part, keys[k]);
    for (size_t i = 0; i < of_key.size(); ++i) values[i][k] = -of_key[i];
  }
  std::vector<int32_t> order(part.items.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
    const auto& a = values[static_cast<size_t>(i)];
    const auto& b = values[static_cast<size_t>(j)];
    return a != b ? a < b : i < j;
  });
  return order;
}

}  // namespace plimsoll
