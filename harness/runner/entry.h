#ifndef HARNESS_RUNNER_ENTRY_H_
#define HARNESS_RUNNER_ENTRY_H_

// Whether a preloaded object can enter a program. Thread-safe.

#include <optional>
#include <string>

#include "base/error.h"

namespace plimsoll {

// What keeps LD_PRELOAD out of `program` (looked up in PATH when it has no '/'; of a script,
// its interpreter): "is statically linked", "is setuid", "has file capabilities", "is not an
// x86-64 program". Absent when nothing does. The error says why the program cannot be read
// at all.
Expected<std::optional<std::string>> WhyLedgerStaysOut(const std::string& program);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_ENTRY_H_
