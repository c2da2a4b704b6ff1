#ifndef TOOLS_NOISE_OPTIONS_H_
#define TOOLS_NOISE_OPTIONS_H_

// The options by which a command also judges noisy counters, such as memory that the ledger
// does not see, over several processes. Thread-compatible.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/runner/children.h"

namespace plimsoll {

struct NoiseOptions {
  std::vector<std::string> metrics;  // names; empty: what the ledger leaves to be judged
  uint32_t children = 0;             // 0: not asked for
  std::string exclude;               // "4 KiB" per iteration; empty: whatever the children reach
};

void AddNoiseOptions(CLI::App& command, NoiseOptions& options);

// What is to be judged so at `level`; absent when nothing was asked for and the ledger enters
// the program. Errors name the option, its value and what is allowed.
Expected<std::optional<ChildrenOptions>> ChildrenFor(const NoiseOptions& options, double level,
                                                     bool ledger_enters);

}  // namespace plimsoll

#endif  // TOOLS_NOISE_OPTIONS_H_
