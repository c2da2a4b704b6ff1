#include "harness/report/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string_view>

#include "base/units.h"
#include "harness/gate/lines.h"
#include "harness/report/text.h"

namespace plimsoll {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

std::string_view ColorOf(const CaseResult& result) {
  if (result.skipped) return "\x1b[2m";
  switch (result.verdict) {
    case Verdict::kClean:
      return "\x1b[32m";
    case Verdict::kGrowing:
    case Verdict::kInconclusive:
      return "\x1b[33m";
    case Verdict::kLeak:
    case Verdict::kOver:
      return "\x1b[1;31m";
    case Verdict::kError:
      return "\x1b[1;35m";
  }
  return "";
}

std::string Paint(const std::string& text, std::string_view color, bool wanted) {
  return wanted ? std::string(color) + text + std::string(kReset) : text;
}

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), seconds < 100 ? "%.1f s" : "%.0f s", seconds);
  return text;
}

std::string Percent(double fraction) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g %%", 100 * fraction);
  return text;
}

enum Column : size_t {
  kCase,
  kVerdict,
  kIterations,
  kGrowth,
  kPeak,
  kFaults,
  kDiagnosis,
  kColumns
};
using Row = std::array<std::string, kColumns>;

constexpr std::array<bool, kColumns> kRightAligned = {false, false, true, true, true, true, false};
constexpr size_t kGap = 2;

Row HeaderRow() {
  return {"CASE", "VERDICT", "ITER", "GROWTH", "PEAK RSS / LINE", "FAULTS/IT", "DIAGNOSIS"};
}

Row RowOf(const CaseResult& result) {
  return {Printable(result.name),
          VerdictText(result),
          result.skipped ? "-" : std::to_string(result.iterations),
          GrowthText(result),
          PeakText(result),
          FaultsText(result),
          DiagnosisText(result)};
}

std::array<size_t, kColumns> WidthsOf(const std::vector<Row>& rows, size_t width) {
  std::array<size_t, kColumns> widths = {};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  const size_t used =
      std::accumulate(widths.begin(), widths.end(), size_t{0}) + kGap * (kColumns - 1);
  if (used <= width) return widths;
  // The two columns of free text give way: names wrap at '/', diagnoses at blanks.
  const size_t text = widths[kCase] + widths[kDiagnosis];
  const size_t rest = used - text;
  const size_t room = std::max<size_t>(width > rest ? width - rest : 0, 32);
  const size_t name = std::min(widths[kCase], room - 14);
  widths[kDiagnosis] = std::min(widths[kDiagnosis], room - name);
  widths[kCase] = room - widths[kDiagnosis];
  return widths;
}

void AppendRow(const Row& row, const std::array<size_t, kColumns>& widths, std::string_view color,
               std::string& out) {
  std::array<std::vector<std::string>, kColumns> cells;
  size_t lines = 1;
  for (size_t i = 0; i < kColumns; ++i) {
    cells[i] = Wrap(row[i], widths[i], i == kCase ? "/" : " ");
    lines = std::max(lines, cells[i].size());
  }
  for (size_t line = 0; line < lines; ++line) {
    std::string text;
    for (size_t i = 0; i < kColumns; ++i) {
      const std::string cell = line < cells[i].size() ? cells[i][line] : "";
      const std::string padding(widths[i] - std::min(widths[i], DisplayWidth(cell)), ' ');
      if (i != 0) text += std::string(kGap, ' ');
      if (kRightAligned[i]) text += padding;
      text += i == kVerdict && !cell.empty() ? Paint(cell, color, !color.empty()) : cell;
      if (!kRightAligned[i]) text += padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
}

// `text` in lines that fit, the first after `lead`, the others below it.
void AppendParagraph(std::string_view lead, std::string_view text, int width, std::string& out) {
  const size_t indent = DisplayWidth(lead);
  const size_t room = static_cast<size_t>(width) > indent + 20 ? width - indent : 20;
  std::string prefix(lead);
  for (const std::string& line : Wrap(Printable(text), room, " ")) {
    out += prefix + line + "\n";
    prefix.assign(indent, ' ');
  }
}

void AppendSite(const SiteFinding& site, const TableOptions& options, std::string& out) {
  std::string text = ResourceKindName(site.kind);
  if (site.bytes_per_iteration != 0) {
    text += "  " + FormatMetric("bytes_per_iteration", site.bytes_per_iteration);
  }
  text += "  in " + Plural(site.blocks_per_iteration, "block") + "/iter";
  if (!site.pattern.empty()) text += ", " + site.pattern;
  AppendParagraph("  ", text, options.width, out);
  for (size_t i = 0; i < site.stack.size() && i < options.frames; ++i) {
    out += "    #" + std::to_string(i) + " " + Printable(site.stack[i]) + "\n";
  }
  if (site.stack.size() > options.frames) {
    out += "    ... " +
           Plural(static_cast<double>(site.stack.size() - options.frames), "more frame") + "\n";
  }
  if (site.stack.empty()) out += "    (no stack)\n";
}

std::string Words(std::string kind) {
  std::replace(kind.begin(), kind.end(), '_', ' ');
  return Printable(kind);
}

}  // namespace

std::string VerdictText(const CaseResult& result) {
  return result.skipped ? "SKIPPED" : VerdictName(result.verdict);
}

std::string GrowthText(const CaseResult& result) {
  const Growth& growth = result.growth;
  if (result.skipped || result.verdict == Verdict::kError ||
      result.verdict == Verdict::kInconclusive) {
    return "-";
  }
  if (result.verdict == Verdict::kLeak || result.verdict == Verdict::kGrowing) {
    if (growth.bytes_per_iteration == 0 && growth.blocks_per_iteration != 0) {
      return Plural(growth.blocks_per_iteration, "block") + "/iter";
    }
    return FormatMetric("bytes_per_iteration", growth.bytes_per_iteration);
  }
  if (!growth.minimum_detectable) return "-";
  const MinimumDetectable& least = *growth.minimum_detectable;
  const std::string bytes = "<" + FormatBytes(least.bytes_per_iteration);
  if (least.one_in_iterations <= 1) return bytes + "/iter";
  char period[32];
  std::snprintf(period, sizeof(period), "/%.0f iter", std::floor(least.one_in_iterations));
  return bytes + period;
}

std::string PeakText(const CaseResult& result) {
  if (!result.peak.rss_bytes) return "-";
  std::string text = FormatBytes(static_cast<double>(*result.peak.rss_bytes));
  const LineResult* tightest = nullptr;
  for (const LineResult& line : result.lines) {
    if (line.metric != "peak_rss_bytes") continue;
    if (tightest == nullptr || line.limit < tightest->limit) tightest = &line;
  }
  if (tightest == nullptr) return text;
  const std::string limit = FormatBytes(tightest->limit);
  const size_t unit = text.rfind(' ');
  if (limit.ends_with(text.substr(unit))) text.erase(unit);
  return text + " / " + limit;
}

std::string FaultsText(const CaseResult& result) {
  if (!result.peak.page_faults_per_iteration) return "-";
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f", *result.peak.page_faults_per_iteration);
  return text;
}

std::string DiagnosisText(const CaseResult& result) {
  const bool grows = result.verdict == Verdict::kLeak || result.verdict == Verdict::kGrowing;
  if (grows && !result.sites.empty()) {
    const SiteFinding& worst = result.sites.front();
    std::string text = ResourceKindName(worst.kind);
    if (!worst.pattern.empty()) text += ", " + Printable(worst.pattern);
    return text;
  }
  const auto largest = std::max_element(result.diagnosis.begin(), result.diagnosis.end(),
                                        [](const Diagnosis& a, const Diagnosis& b) {
                                          return std::fabs(a.bytes) < std::fabs(b.bytes);
                                        });
  if (largest == result.diagnosis.end()) return "-";
  return Words(largest->kind) + " " + FormatBytes(largest->bytes);
}

std::string LineText(const LineResult& line) {
  const std::string limit = FormatMetric(line.metric, line.limit) + " (" + line.source + ")";
  if (!line.value) return line.metric + " was not measured; its line is " + limit;
  return line.metric + " is " + FormatMetric(line.metric, *line.value) +
         (line.holds ? ", within its line of " : ", over its line of ") + limit;
}

std::string NextStep(const CaseResult& result, const std::string& command) {
  if (result.skipped || command.empty()) return "";
  std::string text = command + " --filter='" + result.name + "'";
  switch (result.verdict) {
    case Verdict::kClean:
      return "";
    case Verdict::kLeak:
      return text + " --sites=20";
    case Verdict::kGrowing:
    case Verdict::kInconclusive:
      return text + " --iterations=" + std::to_string(std::max(256u, 2 * result.iterations));
    case Verdict::kOver:
      return text + " --verbose";
    case Verdict::kError:
      return text + " --verbose";
  }
  return "";
}

std::string RenderDetails(const CaseResult& result, const TableOptions& options) {
  std::string out = Paint(VerdictText(result), ColorOf(result), options.color) + "  " +
                    Printable(result.name) + "\n";
  if (!result.reason.empty()) AppendParagraph("  ", result.reason, options.width, out);
  for (size_t i = 0; i < result.sites.size() && i < options.sites; ++i) {
    AppendSite(result.sites[i], options, out);
  }
  if (result.sites.size() > options.sites) {
    const auto hidden = static_cast<double>(result.sites.size() - options.sites);
    out += "  ... " + Plural(hidden, "more site") + "\n";
  }
  for (const SuppressedSite& site : result.suppressed) {
    AppendParagraph("  suppressed: ",
                    site.name + ": " + ResourceKindName(site.kind) + " " +
                        FormatBytes(site.bytes_per_iteration) + "/iter (" + site.reason + ")",
                    options.width, out);
  }
  for (const TrendResult& trend : result.trends) {
    AppendParagraph(
        "  trend: ",
        std::string(VerdictName(trend.verdict)) + " " + trend.metric + ": " + trend.reason,
        options.width, out);
  }
  for (const LineResult& line : result.lines) {
    if (!line.holds) AppendParagraph("  line: ", LineText(line), options.width, out);
  }
  for (const Diagnosis& diagnosis : result.diagnosis) {
    std::string text = Words(diagnosis.kind) + " " + FormatBytes(diagnosis.bytes);
    if (!diagnosis.evidence.empty()) text += ": " + diagnosis.evidence;
    AppendParagraph("  diagnosis: ", text, options.width, out);
    if (!diagnosis.advice.empty()) {
      AppendParagraph("  advice: ", diagnosis.advice, options.width, out);
    }
  }
  if (!result.last_output.empty()) out += "  last output:\n";
  for (const std::string& line : result.last_output) out += "    | " + Printable(line) + "\n";
  if (const std::string next = NextStep(result, options.command); !next.empty()) {
    out += "  next: " + Printable(next) + "\n";
  }
  return out;
}

std::string RenderCounts(const std::vector<CaseResult>& cases) {
  struct Tally {
    std::string_view one, many;
    size_t count = 0;
  };
  std::array<Tally, 7> tallies = {{{"clean", "clean"},
                                   {"leak", "leaks"},
                                   {"growing", "growing"},
                                   {"over its line", "over their lines"},
                                   {"inconclusive", "inconclusive"},
                                   {"error", "errors"},
                                   {"skipped", "skipped"}}};
  double seconds = 0;
  for (const CaseResult& result : cases) {
    ++tallies[result.skipped ? 6 : static_cast<size_t>(result.verdict)].count;
    seconds += result.seconds;
  }
  std::string text = Plural(static_cast<double>(cases.size()), "case") + ":";
  for (size_t i = 0; i < tallies.size(); ++i) {
    const Tally& tally = tallies[i];
    if (tally.count == 0 && i != 0) continue;
    text += (i == 0 ? " " : ", ") + std::to_string(tally.count) + " " +
            std::string(tally.count == 1 ? tally.one : tally.many);
  }
  return text + " in " + Seconds(seconds);
}

std::string RenderTable(const std::vector<CaseResult>& cases, const TableOptions& options) {
  std::vector<Row> rows = {HeaderRow()};
  for (const CaseResult& result : cases) rows.push_back(RowOf(result));
  const auto widths = WidthsOf(rows, static_cast<size_t>(std::max(options.width, 0)));

  std::string out;
  AppendRow(rows.front(), widths, "", out);
  for (size_t i = 0; i < cases.size(); ++i) {
    AppendRow(rows[i + 1], widths, options.color ? ColorOf(cases[i]) : "", out);
  }
  for (const CaseResult& result : cases) {
    if (result.verdict == Verdict::kClean && !result.skipped && !options.details_of_all) continue;
    out += "\n" + RenderDetails(result, options);
  }
  out += "\n";
  double least = 1;
  double most = 0;
  for (const CaseResult& result : cases) {
    if (result.verdict != Verdict::kClean || !result.growth.minimum_detectable) continue;
    least = std::min(least, result.growth.minimum_detectable->confidence);
    most = std::max(most, result.growth.minimum_detectable->confidence);
  }
  if (least <= most) {
    out += "CLEAN, <B/N iter: no leak of B or more as often as once in N iterations (" +
           (least < most ? Percent(least) + " to " : "") + Percent(most) + " confidence)\n";
  }
  return out + RenderCounts(cases) + "\n";
}

}  // namespace plimsoll
