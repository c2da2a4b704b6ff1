#ifndef TOOLS_REPORT_OPTIONS_H_
#define TOOLS_REPORT_OPTIONS_H_

// The options by which every command that runs cases says what it found: the table, and
// result files. Thread-compatible.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include "base/error.h"
#include "harness/result.h"

namespace plimsoll {

struct ReportOptions {
  std::string json, junit, markdown, folded;  // files; "-": standard output
  bool verbose = false;
  size_t sites = 3;
  uint64_t seed = 1;
};

void AddReportOptions(CLI::App& command, ReportOptions& options);

// Whether standard output belongs to one of the files: nothing else may go there.
bool SendsToStandardOutput(const ReportOptions& options);

// The verdict table. `command` is what runs the cases again, for the hints; empty: none.
void PrintTable(const ReportOptions& options, const std::vector<CaseResult>& results,
                const std::string& command, std::FILE* out);

// Writes every file that is asked for, each whole or not at all.
Status WriteReports(const ReportOptions& options, const std::vector<CaseResult>& results);

}  // namespace plimsoll

#endif  // TOOLS_REPORT_OPTIONS_H_
