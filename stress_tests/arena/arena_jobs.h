#ifndef STRESS_TESTS_ARENA_ARENA_JOBS_H_
#define STRESS_TESTS_ARENA_ARENA_JOBS_H_

// What arena_peers has each contender measure, process by process. Pure functions:
// thread-safe.

#include <string>
#include <vector>

#include "base/error.h"
#include "stress_tests/arena/arena_bars.h"

namespace plimsoll {

// Loops that one process measures, of one contender at a time.
struct ArenaJob {
  enum class Program { kReplay, kTorch };
  Program program = Program::kReplay;
  std::vector<std::string> loops = {};  // "Calls:synthetic"
  // So many processes in a row, as what is compared is compared with the contender's own
  // other loops, and a busy moment would meet one of them.
  int times = 1;
  // Contenders step by step in turn: for steps that take so long that the machine's speed
  // changes from one contender to the next.
  bool in_turns = false;
  // Steps that do not vary: designs that know one plan take part.
  bool fixed = false;

  // For --benchmark_filter: these loops of `contender`.
  std::string Filter(const std::string& contender) const;
};

// All that is measured, less the loops that do not match the regular expression `only`;
// empty: all. The error says that none does, and which there are.
Expected<std::vector<ArenaJob>> ArenaJobs(const ArenaMeasured& measured, const std::string& only);

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_ARENA_JOBS_H_
