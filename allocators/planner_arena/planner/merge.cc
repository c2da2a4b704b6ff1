#include "allocators/planner_arena/planner/merge.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace plimsoll {

Merge::Merge(const Part& part, Chains chains) : num_items_(part.items.size()) {
  for (const Item& item : part.items) {
    roots_.push_back(static_cast<int32_t>(nodes_.size()));
    nodes_.push_back({.item = item});
  }
  // Chains where there is a choice may be wrong ones: only when nothing else is left.
  const bool any = chains == Chains::kAny;
  while (StackAll() || ChainAll(Where::kAlone) || (any && ChainAll(Where::kAloneOfSize))) {
  }
  for (const int32_t root : roots_) {
    const Item& item = nodes_[static_cast<size_t>(root)].item;
    buffers_.push_back({item.first, item.last, item.size, item.alignment});
  }
}

std::vector<int64_t> Merge::Expand(const std::vector<int64_t>& offsets) const {
  std::vector<int64_t> by_item(num_items_, 0);
  std::vector<std::pair<int32_t, int64_t>> open;
  for (size_t i = 0; i < roots_.size(); ++i) open.emplace_back(roots_[i], offsets[i]);
  while (!open.empty()) {
    const auto [index, offset] = open.back();
    open.pop_back();
    const Node& node = nodes_[static_cast<size_t>(index)];
    if (node.first_child < 0) {
      by_item[static_cast<size_t>(index)] = offset;
      continue;
    }
    const int64_t below = nodes_[static_cast<size_t>(node.first_child)].item.size;
    open.emplace_back(node.first_child, offset);
    open.emplace_back(node.second_child, node.stacked ? offset + below : offset);
  }
  return by_item;
}

int32_t Merge::Join(int32_t a, int32_t b, bool stacked) {
  Node node{a, b, stacked, nodes_[static_cast<size_t>(a)].item};
  const Item& other = nodes_[static_cast<size_t>(b)].item;
  if (stacked) {
    node.item.size += other.size;
  } else {
    node.item.last = other.last;
    node.item.width += other.width;
  }
  nodes_.push_back(node);
  return static_cast<int32_t>(nodes_.size() - 1);
}

// Joins all items of one lifetime. Aligned ones keep to themselves.
bool Merge::StackAll() {
  const auto key = [&](int32_t i) {
    const Item& item = nodes_[static_cast<size_t>(i)].item;
    return std::make_tuple(item.first, item.last, item.alignment);
  };
  std::sort(roots_.begin(), roots_.end(),
            [&](int32_t i, int32_t j) { return key(i) != key(j) ? key(i) < key(j) : i < j; });
  std::vector<int32_t> left;
  for (const int32_t i : roots_) {
    const bool alike = !left.empty() && key(left.back()) == key(i);
    if (alike && nodes_[static_cast<size_t>(i)].item.alignment == 1) {
      left.back() = Join(left.back(), i, true);
    } else {
      left.push_back(i);
    }
  }
  const bool changed = left.size() < roots_.size();
  roots_ = std::move(left);
  return changed;
}

// Joins items of one size where one ends as the other begins.
bool Merge::ChainAll(Where where) {
  const auto item_of = [&](int32_t i) -> const Item& {
    return nodes_[static_cast<size_t>(i)].item;
  };
  const auto key = [&](int32_t section, int32_t i) {
    return std::make_tuple(section, item_of(i).size, item_of(i).alignment);
  };
  std::vector<int32_t> ends = roots_;
  std::vector<int32_t> begins = roots_;
  std::sort(ends.begin(), ends.end(), [&](int32_t i, int32_t j) {
    const auto a = key(item_of(i).last, i);
    const auto b = key(item_of(j).last, j);
    return a != b ? a < b : i < j;
  });
  std::sort(begins.begin(), begins.end(), [&](int32_t i, int32_t j) {
    const auto a = key(item_of(i).first, i);
    const auto b = key(item_of(j).first, j);
    return a != b ? a < b : i < j;
  });
  const auto alone = [&](const std::vector<int32_t>& sorted, size_t k, auto section_of) {
    const auto alike = [&](int32_t i, int32_t j) {
      return where == Where::kAlone ? section_of(i) == section_of(j)
                                    : key(section_of(i), i) == key(section_of(j), j);
    };
    return (k == 0 || !alike(sorted[k - 1], sorted[k])) &&
           (k + 1 == sorted.size() || !alike(sorted[k + 1], sorted[k]));
  };
  const auto last = [&](int32_t i) { return item_of(i).last; };
  const auto first = [&](int32_t i) { return item_of(i).first; };
  std::vector<int32_t> next(nodes_.size(), -1);
  std::vector<bool> has_previous(nodes_.size(), false);
  bool changed = false;
  for (size_t e = 0, b = 0; e < ends.size() && b < begins.size();) {
    const auto end_key = key(last(ends[e]), ends[e]);
    const auto begin_key = key(first(begins[b]), begins[b]);
    if (end_key < begin_key) {
      ++e;
    } else if (begin_key < end_key) {
      ++b;
    } else {
      if (alone(ends, e, last) && alone(begins, b, first)) {
        next[static_cast<size_t>(ends[e])] = begins[b];
        has_previous[static_cast<size_t>(begins[b])] = true;
        changed = true;
      }
      ++e;
      ++b;
    }
  }
  if (!changed) return false;
  std::vector<int32_t> left;
  for (const int32_t i : roots_) {
    if (has_previous[static_cast<size_t>(i)]) continue;
    int32_t chain = i;
    for (int32_t j = next[static_cast<size_t>(i)]; j >= 0; j = next[static_cast<size_t>(j)]) {
      chain = Join(chain, j, false);
    }
    left.push_back(chain);
  }
  roots_ = std::move(left);
  return true;
}

}  // namespace plimsoll
