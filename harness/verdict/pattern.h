#ifndef HARNESS_VERDICT_PATTERN_H_
#define HARNESS_VERDICT_PATTERN_H_

// The shape of a site's growth: its period, its spread, and the words for them. Pure
// functions; thread-safe. Positions are 1..m within the judged epochs, ascending.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace plimsoll {

struct Period {
  uint32_t length = 0;
  uint32_t slots = 0;  // in the second half
  // log2 of what the search over lengths and phases may be charged with.
  double search_bits = 0;
};

// The most convincing k such that every k-th of the positions 1..m, in some phase, is among
// `positions`: the greatest excess of slots above `half` over search_bits. Absent when no k
// with at least eight slots there has all of them. A search over all k and their k phases is
// paid for by k * k (k + 1), as the inverses of k (k + 1) sum to 1; but where nothing above
// `half` is off the slots, by 2: were each chance at most 1/2, to find all n slots taken and
// all others empty is likeliest when only those n have any, and hardly more sets of so
// many slots are among them than the one.
std::optional<Period> FindPeriod(std::span<const uint32_t> positions, uint32_t m, uint32_t half);

// Whether at least seven of the eight equal parts of half+1..m hold a position: growth that
// goes on, not a burst or two.
bool Persists(std::span<const uint32_t> positions, uint32_t m, uint32_t half);

// Whether so long a silence at the end would be a one in 1,000 chance at the rate of the
// second half before it: a structure that has just filled up. REQUIRES: a position above
// `half`.
bool Stopped(std::span<const uint32_t> positions, uint32_t m, uint32_t half);

struct Shape {
  std::optional<uint32_t> period = std::nullopt;
  bool late = false;     // nothing for conspicuously long, then this
  bool slowing = false;  // earlier than chance allows
};

// "every 7th iteration", "about one in 12 iterations, from iteration 600 on", "one step, at
// iteration 300" … `start` is the iteration before position 1. REQUIRES: positions not empty.
std::string DescribePattern(const Shape& shape, std::span<const uint32_t> positions, uint32_t m,
                            uint32_t start);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_PATTERN_H_
