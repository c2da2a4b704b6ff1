#include "allocators/mmap_loader/page_cache/page_states.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace plimsoll::weights {
namespace {

TEST(PageStates, AgreesWithAnArrayOfPages) {
  constexpr uint64_t kPages = 64;
  PageStates states(kPages);
  std::vector<PageState> model(kPages);
  std::mt19937 random(7);
  for (int step = 0; step < 20'000; ++step) {
    uint64_t first = random() % (kPages + 1);
    uint64_t last = random() % (kPages + 1);
    if (first > last) std::swap(first, last);
    const uint64_t kind = random() % 3;
    uint64_t expected_next = first;
    states.Update(first, last, [&](uint64_t begin, uint64_t end, PageState& state) {
      EXPECT_EQ(begin, expected_next);
      EXPECT_LT(begin, end);
      expected_next = end;
      for (uint64_t page = begin; page < end; ++page) EXPECT_EQ(state, model[page]);
      if (kind == 0) ++state.pins;
      if (kind == 1 && state.pins > 0) --state.pins;
      if (kind == 2) state.loaded = state.pins % 2 == 1;
    });
    EXPECT_EQ(expected_next, last);
    for (uint64_t page = first; page < last; ++page) {
      if (kind == 0) ++model[page].pins;
      if (kind == 1 && model[page].pins > 0) --model[page].pins;
      if (kind == 2) model[page].loaded = model[page].pins % 2 == 1;
    }
    size_t distinct = 1;
    for (uint64_t page = 1; page < kPages; ++page) distinct += model[page] != model[page - 1];
    ASSERT_EQ(states.runs(), distinct) << "equal neighbours are one run, step " << step;
  }
}

TEST(PageStates, TensorsThatComeAndGoLeaveNoRuns) {
  PageStates states(1000);
  for (uint64_t i = 0; i < 100; ++i) {
    states.Update(i * 10, i * 10 + 7, [](uint64_t, uint64_t, PageState& state) { ++state.pins; });
  }
  EXPECT_EQ(states.runs(), 200u);
  for (uint64_t i = 0; i < 100; ++i) {
    states.Update(i * 10, i * 10 + 7, [](uint64_t, uint64_t, PageState& state) { --state.pins; });
  }
  EXPECT_EQ(states.runs(), 1u);
}

}  // namespace
}  // namespace plimsoll::weights
