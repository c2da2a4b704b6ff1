#ifndef ALLOCATORS_MMAP_LOADER_PAGE_CACHE_PAGE_STATES_H_
#define ALLOCATORS_MMAP_LOADER_PAGE_CACHE_PAGE_STATES_H_

// Which pages of a file are held, by how many handles, and whether they are loaded and
// locked: runs of equal pages, so that a model of any size takes a few entries for each
// tensor in use. Not thread-safe: the owner locks.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace plimsoll::weights {

struct PageState {
  uint32_t pins = 0;    // handles that touch the page
  bool loaded = false;  // of the reading modes: the bytes are there
  bool locked = false;
  bool operator==(const PageState&) const = default;
};

class PageStates {
 public:
  // Pages 0 to pages - 1, all in the default state.
  explicit PageStates(uint64_t pages) : pages_(pages) { runs_.emplace(0, PageState{}); }

  uint64_t pages() const { return pages_; }
  // Runs of equal pages that are told apart.
  size_t runs() const { return runs_.size(); }

  // Calls `change(first, last, state)` for each maximal run of equal pages in
  // [first, last), in order; what it writes to `state` holds for that run afterwards.
  // REQUIRES: first <= last <= pages().
  template <typename Change>
  void Update(uint64_t first, uint64_t last, Change&& change) {
    if (first >= last) return;
    Split(first);
    Split(last);
    for (auto run = runs_.find(first); run != runs_.end() && run->first < last; ++run) {
      change(run->first, End(run), run->second);
    }
    Merge(first, last);
  }

  // Calls `look(first, last, state)` likewise.
  template <typename Look>
  void ForEach(Look&& look) const {
    for (auto run = runs_.begin(); run != runs_.end(); ++run) {
      look(run->first, End(run), run->second);
    }
  }

 private:
  using Runs = std::map<uint64_t, PageState>;  // by first page

  uint64_t End(Runs::const_iterator run) const {
    const auto next = std::next(run);
    return next == runs_.end() ? pages_ : next->first;
  }
  void Split(uint64_t page) {
    if (page >= pages_) return;
    const auto after = runs_.upper_bound(page);
    const auto run = std::prev(after);
    if (run->first != page) runs_.emplace_hint(after, page, run->second);
  }
  // Joins equal neighbours, from the run before `first` to the one at `last`.
  void Merge(uint64_t first, uint64_t last) {
    auto run = runs_.find(first);
    if (run != runs_.begin()) --run;
    while (true) {
      const auto next = std::next(run);
      if (next == runs_.end() || next->first > last) return;
      if (next->second == run->second) {
        runs_.erase(next);
      } else {
        run = next;
      }
    }
  }

  const uint64_t pages_;
  Runs runs_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_PAGE_CACHE_PAGE_STATES_H_
