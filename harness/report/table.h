#ifndef HARNESS_REPORT_TABLE_H_
#define HARNESS_REPORT_TABLE_H_

// The verdict table that a person reads on a terminal or in a log. Thread-safe: pure
// functions. Text from programs under test is made printable; without colour there is no
// escape in the output.

#include <cstddef>
#include <string>
#include <vector>

#include "harness/result.h"

namespace plimsoll {

struct TableOptions {
  bool color = false;           // see WantsColor
  int width = 120;              // columns; see TerminalWidth
  size_t sites = 3;             // shown of each case, worst first
  size_t frames = 10;           // shown of each stack
  bool details_of_all = false;  // also of CLEAN cases
  // What runs a case again, to which options are added: "plimsoll run demo.yaml". Empty: no
  // line says what to run next.
  std::string command;
};

// The table, the details of every case that is not CLEAN, and the counts; ends with a
// newline. A skipped case is neither: it is counted, with its reason.
std::string RenderTable(const std::vector<CaseResult>& cases, const TableOptions& options = {});

// One case's details: verdict, reason, sites with their stacks, lines that do not hold,
// diagnosis, last output, what to run next.
std::string RenderDetails(const CaseResult& result, const TableOptions& options = {});

// "7 cases: 5 clean, 1 leak, 1 skipped in 23.1 s".
std::string RenderCounts(const std::vector<CaseResult>& cases);

// The parts of a row, as every report words them.

// "CLEAN", "SKIPPED".
std::string VerdictText(const CaseResult& result);
// What leaks, or for CLEAN the smallest leak that is excluded: "64 B/iter",
// "<1 B/34 iter", "-" when nothing was found out.
std::string GrowthText(const CaseResult& result);
// "312 MiB", "312 / 450 MiB" against the tightest line, "-".
std::string PeakText(const CaseResult& result);
// Page faults per iteration: "12000", "-".
std::string FaultsText(const CaseResult& result);
// The diagnosis in a few words: "heap, every 7th iteration", "allocator retention 12 MiB".
std::string DiagnosisText(const CaseResult& result);
// "peak_rss_bytes is 460 MiB, over its line of 450 MiB (script)".
std::string LineText(const LineResult& line);
// The command that tells more about a case; empty for CLEAN and skipped ones.
std::string NextStep(const CaseResult& result, const std::string& command);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_TABLE_H_
