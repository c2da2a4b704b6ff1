#ifndef STRESS_TESTS_ARENA_ARENA_BARS_H_
#define STRESS_TESTS_ARENA_ARENA_BARS_H_

// What the planner arena is held to beside other mallocs. Pure functions: thread-safe.

#include <string>
#include <vector>

#include "stress_tests/peer_table.h"

namespace plimsoll {

// What is measured, and must be there for a line to hold.
struct ArenaMeasured {
  std::vector<std::string> traces;          // replayed alone
  std::vector<std::string> varying_traces;  // also on threads and in several shapes
  std::vector<std::string> models;          // trained in libtorch; may be empty
};

// Two runs of the same program differ by so much in the fastest of a few repetitions:
// "no slower" is a ratio of at most this.
inline constexpr double kNoSlower = 1.02;

// The contender "arena" beside "glibc", "glibc_tuned" and all others but "arena_...".
std::vector<PeerLine> HoldArenaLines(const PeerFigures& figures, const ArenaMeasured& measured);

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_ARENA_BARS_H_
