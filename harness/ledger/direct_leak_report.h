#ifndef HARNESS_LEDGER_DIRECT_LEAK_REPORT_H_
#define HARNESS_LEDGER_DIRECT_LEAK_REPORT_H_

// Reads what CheckDirectLeaks reported, in the parent process. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::ledger {

// Blocks of one call stack that were first found lost at the end of one iteration.
struct DirectLeak {
  uint32_t iteration = 0;
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  std::vector<std::string> stack;  // "function (file:line)", innermost first
};

// From LeakSanitizer's reports or Valgrind's log (plain text, --leak-check=full), as far as
// it was written; lines of neither are passed over. Losses that LeakSanitizer repeats at
// later iterations, or that are only reached through another lost block, are left out.
std::vector<DirectLeak> ParseDirectLeaks(std::string_view report);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_DIRECT_LEAK_REPORT_H_
