#include "tools/report_options.h"

#include <unistd.h>

#include "harness/gate/fingerprint.h"
#include "harness/report/folded.h"
#include "harness/report/json.h"
#include "harness/report/junit.h"
#include "harness/report/markdown.h"
#include "harness/report/table.h"
#include "harness/report/terminal.h"

namespace plimsoll {

void AddReportOptions(CLI::App& command, ReportOptions& options) {
  command.add_option("--json", options.json, "Write the results there (-: standard output)");
  command.add_option("--junit", options.junit, "Write JUnit XML there (-: standard output)");
  command.add_option("--markdown", options.markdown,
                     "Write a Markdown table there (-: standard output)");
  command.add_option("--folded", options.folded,
                     "Write the leaking stacks there, one a line with its bytes per iteration, "
                     "for flame graphs (-: standard output)");
  command.add_option("--sites", options.sites, "Sites shown per case (default 3)");
  command.add_option("--seed", options.seed, "Recorded with the results");
  command.add_flag("--verbose", options.verbose, "Details of CLEAN cases too");
}

bool SendsToStandardOutput(const ReportOptions& options) {
  return options.json == "-" || options.junit == "-" || options.markdown == "-" ||
         options.folded == "-";
}

void PrintTable(const ReportOptions& options, const std::vector<CaseResult>& results,
                const std::string& command, std::FILE* out) {
  const int descriptor = fileno(out);
  TableOptions table;
  table.color = WantsColor(descriptor);
  table.width = TerminalWidth(descriptor);
  table.sites = options.sites;
  table.details_of_all = options.verbose;
  table.command = command;
  std::fputs(RenderTable(results, table).c_str(), out);
  std::fflush(out);
}

Status WriteReports(const ReportOptions& options, const std::vector<CaseResult>& results) {
  const Context context = ThisContext(".", options.seed);
  Status status;
  if (!options.json.empty()) status = WriteJson(options.json, context, results);
  if (status.has_value() && !options.junit.empty()) {
    status = WriteJunit(options.junit, context, results);
  }
  if (status.has_value() && !options.markdown.empty()) {
    status = WriteMarkdown(options.markdown, context, results);
  }
  if (status.has_value() && !options.folded.empty()) {
    status = WriteFolded(options.folded, results);
  }
  return status;
}

}  // namespace plimsoll
