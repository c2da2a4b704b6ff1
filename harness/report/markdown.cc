#include "harness/report/markdown.h"

#include <algorithm>
#include <string_view>

#include "harness/report/table.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace plimsoll {
namespace {

// Text that Markdown takes for nothing but text, even in a table's cell.
std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      if (std::string_view("\\`*_{}[]|#~").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

// A code block whose fence is longer than any run of backticks inside.
std::string CodeBlock(const std::string& text) {
  size_t longest = 0;
  size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<size_t>(longest + 1, 3), '`');
  return fence + "text\n" + text + (text.ends_with('\n') ? "" : "\n") + fence + "\n";
}

std::string Emphasis(const CaseResult& result) {
  const std::string text = VerdictText(result);
  return result.verdict == Verdict::kClean || result.skipped ? text : "**" + text + "**";
}

}  // namespace

std::string RenderMarkdown(const Context& context, const std::vector<CaseResult>& cases) {
  std::string out = "# Plimsoll: " + RenderCounts(cases) + "\n\n";
  out += Escape(context.date) + ", " + Escape(FingerprintKey(context.fingerprint));
  if (!context.commit.empty()) out += ", commit " + Escape(context.commit.substr(0, 12));
  out +=
      "\n\n| Case | Verdict | Iterations | Growth | Peak RSS / line | Faults/iter | Diagnosis |\n";
  out += "| --- | --- | ---: | ---: | ---: | ---: | --- |\n";
  for (const CaseResult& result : cases) {
    out += "| " + Escape(result.name) + " | " + Emphasis(result) + " | " +
           (result.skipped ? "-" : std::to_string(result.iterations)) + " | " +
           Escape(GrowthText(result)) + " | " + Escape(PeakText(result)) + " | " +
           Escape(FaultsText(result)) + " | " + Escape(DiagnosisText(result)) + " |\n";
  }
  TableOptions options;
  options.width = 100;
  for (const CaseResult& result : cases) {
    if (result.verdict == Verdict::kClean && !result.skipped) continue;
    out += "\n<details><summary>" + Escape(VerdictText(result) + ": " + result.name) +
           "</summary>\n\n" + CodeBlock(RenderDetails(result, options)) + "\n</details>\n";
  }
  return out;
}

Status WriteMarkdown(const std::string& path, const Context& context,
                     const std::vector<CaseResult>& cases) {
  return WriteOutput(path, RenderMarkdown(context, cases));
}

}  // namespace plimsoll
