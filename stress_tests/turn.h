#ifndef STRESS_TESTS_TURN_H_
#define STRESS_TESTS_TURN_H_

// Programs that are compared step by step: each waits until it is its turn, so that a change
// of the machine's speed meets all of them alike. For one thread, while no other works.

#include <csignal>
#include <cstdlib>

namespace plimsoll {

// Set in the environment of programs that take turns.
inline constexpr const char* kTurnsVariable = "PLIMSOLL_TURNS";

// Stops this process until it is continued (SIGCONT), which costs it no CPU time. At once
// when it does not take turns.
inline void WaitForTurn() {
  static const bool takes_turns = std::getenv(kTurnsVariable) != nullptr;
  if (takes_turns) std::raise(SIGSTOP);
}

}  // namespace plimsoll

#endif  // STRESS_TESTS_TURN_H_
