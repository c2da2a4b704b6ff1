#include "harness/verdict/characteristics_report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

constexpr const char* kIdle = "idle";
constexpr size_t kColumns = 13;
constexpr int kCellWidth = 74;
constexpr int kCellHeight = 17;
constexpr int kLabelWidth = 260;
constexpr int kHeadHeight = 60;

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[400];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

// In the order in which they first come.
std::vector<std::string> Distinct(std::span<const RateRow> rows, std::string RateRow::*field) {
  std::vector<std::string> values;
  for (const RateRow& row : rows) {
    if (std::find(values.begin(), values.end(), row.*field) == values.end()) {
      values.push_back(row.*field);
    }
  }
  return values;
}

const RateRow* Find(std::span<const RateRow> rows, std::string_view pattern, std::string_view noise,
                    std::string_view rule) {
  for (const RateRow& row : rows) {
    if (row.pattern == pattern && row.noise == noise && row.rule == rule) return &row;
  }
  return nullptr;
}

// From green (right) over yellow to red.
std::string Color(double wrong) {
  const double red = std::min(1.0, 2 * wrong);
  const double green = std::min(1.0, 2 * (1 - wrong));
  return Format("rgb(%d,%d,%d)", static_cast<int>(120 + 125 * red),
                static_cast<int>(110 + 115 * green), 120);
}

std::string Label(int x, int y, const std::string& text, const char* anchor, bool bold = false) {
  return Format("<text x=\"%d\" y=\"%d\" text-anchor=\"%s\"%s>", x, y, anchor,
                bold ? " font-weight=\"bold\"" : "") +
         text + "</text>\n";
}

struct Line {
  std::string label;
  std::string pattern;
  std::string noise;
};

// One table from `top` on; returns where it ends.
int AddTable(std::span<const RateRow> rows, const std::string& title,
             const std::vector<Line>& lines, const std::vector<std::string>& rules, int top,
             std::string& svg) {
  svg += Label(10, top + 20, title, "start", true);
  for (size_t i = 0; i < rules.size(); ++i) {
    const int x = kLabelWidth + static_cast<int>(i) * kCellWidth + kCellWidth / 2;
    svg += Label(x, top + kHeadHeight - 6 - static_cast<int>(i % 2) * 14, rules[i], "middle");
  }
  int y = top + kHeadHeight;
  for (const Line& line : lines) {
    svg += Label(kLabelWidth - 8, y + 13, line.label, "end");
    for (size_t i = 0; i < rules.size(); ++i) {
      const RateRow* row = Find(rows, line.pattern, line.noise, rules[i]);
      if (row == nullptr) continue;
      const int x = kLabelWidth + static_cast<int>(i) * kCellWidth;
      const double wrong = row->leaks ? 1 - row->Rate() : row->Rate();
      const Interval interval = WilsonInterval(row->flagged, row->trials);
      svg += Format("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"><title>", x, y,
                    kCellWidth - 1, kCellHeight - 1, Color(wrong).c_str()) +
             Format("%s, %s: flagged %u of %u, 95 %% interval %.4f to %.4f", line.label.c_str(),
                    rules[i].c_str(), row->flagged, row->trials, interval.low, interval.high) +
             "</title></rect>\n";
      svg += Label(x + kCellWidth / 2, y + 13,
                   row->flagged == 0                            ? "0"
                   : row->flagged == row->trials                ? "1"
                   : row->Rate() < 0.005 || row->Rate() > 0.995 ? Format("%.4f", row->Rate())
                                                                : Format("%.2f", row->Rate()),
                   "middle");
    }
    y += kCellHeight;
  }
  return y;
}

}  // namespace

std::string CharacteristicsCsv(std::span<const RateRow> rows) {
  std::string text =
      "pattern,truth,noise,rule,trials,flagged,rate,rate_low,rate_high,clean,growing,"
      "wrongly_excluded,median_iterations\n";
  for (const RateRow& row : rows) {
    const Interval interval = WilsonInterval(row.flagged, row.trials);
    const bool ours = row.rule == "trend" || row.rule.rfind("survivor", 0) == 0;
    text += row.pattern + "," + (row.leaks ? "leak" : "bounded") + "," + row.noise + "," +
            row.rule +
            Format(",%u,%u,%.6g,%.6g,%.6g,", row.trials, row.flagged, row.Rate(), interval.low,
                   interval.high);
    text += ours ? Format("%u,%u,%u,", row.clean, row.growing, row.wrongly_excluded) : ",,,";
    if (row.median_iterations > 0) text += Format("%g", row.median_iterations);
    text += "\n";
  }
  return text;
}

Expected<std::vector<RateRow>> ReadCharacteristics(const std::string& path,
                                                   const std::string& csv) {
  std::vector<RateRow> rows;
  std::istringstream lines(csv);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    if (number == 1) continue;
    std::vector<std::string> cells;
    std::istringstream fields(line);
    for (std::string cell; std::getline(fields, cell, ',');) cells.push_back(cell);
    cells.resize(kColumns);
    const auto count = [&](size_t column) {
      return static_cast<uint32_t>(std::strtoul(cells[column].c_str(), nullptr, 10));
    };
    RateRow row = {.pattern = cells[0],
                   .leaks = cells[1] == "leak",
                   .noise = cells[2],
                   .rule = cells[3],
                   .trials = count(4),
                   .flagged = count(5),
                   .clean = count(9),
                   .growing = count(10),
                   .wrongly_excluded = count(11),
                   .median_iterations = std::strtod(cells[12].c_str(), nullptr)};
    if (row.trials == 0 || row.flagged > row.trials) {
      return BadValue(path + ":" + std::to_string(number), "trials", cells[4],
                      "expected a line of this command's CSV");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string CharacteristicsSvg(std::span<const RateRow> rows) {
  std::vector<std::string> rules = Distinct(rows, &RateRow::rule);
  std::vector<Line> patterns;
  for (const bool leaks : {false, true}) {
    for (const std::string& name : Distinct(rows, &RateRow::pattern)) {
      const RateRow* row = Find(rows, name, "none", rules[0]);
      if (row == nullptr || row->leaks != leaks) continue;
      patterns.push_back({(leaks ? "leak: " : "bounded: ") + name, name, "none"});
    }
  }
  std::vector<Line> noises;
  for (const std::string& noise : Distinct(rows, &RateRow::noise)) {
    if (Find(rows, kIdle, noise, "trend") != nullptr) noises.push_back({noise, kIdle, noise});
  }
  std::string body;
  int y = AddTable(rows, "Share of trials flagged, by pattern, without noise", patterns, rules, 0,
                   body);
  if (!noises.empty()) {
    y = AddTable(rows, "Share of trials flagged where nothing is kept, by noise", noises, rules,
                 y + 20, body);
  }
  const int width = kLabelWidth + static_cast<int>(rules.size()) * kCellWidth + 10;
  return Format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
             "font-family=\"sans-serif\" font-size=\"11\">\n",
             width, y + 10) +
         Format("<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, y + 10) + body +
         "</svg>\n";
}

std::string CharacteristicsText(std::span<const RateRow> rows) {
  std::string text =
      Format("%-32s %-8s %-12s %-14s %7s %8s %19s %7s %7s %6s\n", "PATTERN", "TRUTH", "NOISE",
             "RULE", "TRIALS", "LEAK", "95 % INTERVAL", "CLEAN", "GROWING", "ITER");
  for (const RateRow& row : rows) {
    const bool ours = row.rule == "trend" || row.rule.rfind("survivor", 0) == 0;
    if (!ours) continue;
    const Interval interval = WilsonInterval(row.flagged, row.trials);
    text += Format("%-32s %-8s %-12s %-14s %7u %8.5f   %.5f - %.5f %7u %7u", row.pattern.c_str(),
                   row.leaks ? "leak" : "bounded", row.noise.c_str(), row.rule.c_str(), row.trials,
                   row.Rate(), interval.low, interval.high, row.clean, row.growing);
    if (row.median_iterations > 0) text += Format(" %6.0f", row.median_iterations);
    text += "\n";
  }
  for (const CharacteristicsBar& bar : CheckBars(rows)) {
    text += Format("%-6s %s: %.5g (bar: %s %g)\n", bar.Holds() ? "holds" : "BROKEN",
                   bar.name.c_str(), bar.value, bar.at_most ? "at most" : "at least", bar.limit);
  }
  return text;
}

}  // namespace plimsoll
