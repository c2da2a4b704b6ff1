#include "allocators/planner_arena/planner/race.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>

#include "allocators/planner_arena/planner/orders.h"

namespace plimsoll {
namespace {

struct Runner {
  const char* keys;
  bool any_tight_section;
  const char* name;
};

// Chosen on the minimalloc suite and on tiles: each wins somewhere by a factor of ten.
constexpr Runner kRunners[] = {
    {"TWA", false, "search TWA"},
    {"TAW", true, "search TAW, tight sections"},
    {"TN", false, "search TN"},
    {"TWA", true, "search TWA, tight sections"},
};

// The clock is read once in so many placements.
constexpr int64_t kChunk = 256;

}  // namespace

Race::Race(const Part& part, int64_t capacity) {
  searches_.reserve(std::size(kRunners));
  for (const Runner& runner : kRunners) {
    searches_.emplace_back(part, OrderBy(part, runner.keys), capacity, runner.any_tight_section);
    nodes_ += searches_.back().nodes();
  }
}

Search::Outcome Race::Run(int64_t nodes, int threads, const Deadline& deadline,
                          const std::function<void()>& tick) {
  std::vector<Search::Outcome> outcomes(searches_.size(), Search::Outcome::kUndecided);
  std::atomic<size_t> next = 0;
  std::atomic<size_t> decided = searches_.size();  // the least search that decided
  const auto work = [&](bool calls) {
    for (size_t s; (s = next.fetch_add(1)) < searches_.size();) {
      for (int64_t left = nodes; left > 0 && outcomes[s] == Search::Outcome::kUndecided;
           left -= kChunk) {
        if (decided.load() < s || deadline.HasPassed()) return;
        const int64_t before = searches_[s].nodes();
        outcomes[s] = searches_[s].Run(std::min(left, kChunk));
        nodes_ += searches_[s].nodes() - before;
        if (calls && tick) tick();
      }
      if (outcomes[s] == Search::Outcome::kUndecided) continue;
      size_t least = decided.load();
      while (s < least && !decided.compare_exchange_weak(least, s)) {
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < std::min(threads, static_cast<int>(searches_.size())); ++t) {
    helpers.emplace_back(work, false);
  }
  work(true);
  for (std::thread& helper : helpers) helper.join();
  if (decided.load() == searches_.size()) return Search::Outcome::kUndecided;
  winner_ = decided.load();
  return outcomes[winner_];
}

const char* Race::method() const { return kRunners[winner_].name; }

}  // namespace plimsoll
