#include "memleaks_tests/corpus/score_table.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "harness/verdict/rivals.h"

namespace plimsoll {
namespace {

constexpr uint32_t kBudget = 2048;
constexpr double kFoundShare = 0.95;

size_t CountOf(const PatternScore& score, Verdict verdict) {
  return score.verdicts[static_cast<size_t>(verdict)];
}

size_t Others(const PatternScore& score) {
  return score.cases - CountOf(score, Verdict::kLeak) - CountOf(score, Verdict::kGrowing) -
         CountOf(score, Verdict::kClean);
}

double Median(std::vector<uint32_t> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

// Shares of the flagged, over the patterns of one truth.
std::vector<std::optional<double>> RivalTotals(std::span<const PatternScore> table, bool innocent) {
  std::vector<std::optional<double>> totals(Rivals().size());
  for (size_t i = 0; i < totals.size(); ++i) {
    double sum = 0;
    size_t count = 0;
    for (const PatternScore& row : table) {
      if (row.innocent != innocent || !row.rivals[i]) continue;
      sum += *row.rivals[i];
      ++count;
    }
    if (count > 0) totals[i] = sum / static_cast<double>(count);
  }
  return totals;
}

std::string RivalCells(const std::vector<std::optional<double>>& shares) {
  std::string text;
  for (size_t i = 0; i < shares.size(); ++i) {
    const auto width = static_cast<int>(std::string_view(Rivals()[i].name).size());
    text += shares[i] ? Format(" %*.2f", width, *shares[i]) : Format(" %*s", width, "-");
  }
  return text;
}

std::string RenderRow(const PatternScore& row) {
  const std::string site =
      row.innocent ? "-" : Format("%zu/%zu", row.right_sites, CountOf(row, Verdict::kLeak));
  return Format("%-24s %-8s %5zu %5zu %5zu %5zu %7s %6.0f %6u %6.1f", row.pattern.c_str(),
                row.innocent ? "innocent" : "planted", CountOf(row, Verdict::kLeak),
                CountOf(row, Verdict::kGrowing), CountOf(row, Verdict::kClean), Others(row),
                site.c_str(), row.median_iterations, row.most_iterations, row.seconds) +
         RivalCells(row.rivals) + "\n";
}

}  // namespace

std::vector<PatternScore> Summarize(std::span<const Score> scores) {
  std::vector<PatternScore> table;
  for (const Score& first : scores) {
    const bool seen = std::any_of(table.begin(), table.end(), [&](const PatternScore& row) {
      return row.pattern == first.pattern;
    });
    if (seen) continue;
    PatternScore row = {.pattern = first.pattern, .innocent = first.innocent, .rivals = {}};
    std::vector<uint32_t> iterations;
    std::vector<size_t> flagged(Rivals().size());
    std::vector<size_t> heard(Rivals().size());
    for (const Score& score : scores) {
      if (score.pattern != row.pattern) continue;
      ++row.cases;
      ++row.verdicts[static_cast<size_t>(score.verdict)];
      row.right_sites += score.right_site;
      row.seconds += score.seconds;
      iterations.push_back(score.iterations);
      for (size_t i = 0; i < score.rivals.size(); ++i) {
        heard[i] += score.rivals[i].has_value();
        flagged[i] += score.rivals[i].value_or(false);
      }
    }
    row.median_iterations = Median(iterations);
    row.most_iterations = *std::max_element(iterations.begin(), iterations.end());
    for (size_t i = 0; i < heard.size(); ++i) {
      row.rivals.push_back(heard[i] == 0 ? std::nullopt
                                         : std::optional(static_cast<double>(flagged[i]) /
                                                         static_cast<double>(heard[i])));
    }
    table.push_back(std::move(row));
  }
  return table;
}

std::vector<Bar> CheckBars(std::span<const Score> scores) {
  size_t planted = 0;
  size_t found = 0;
  size_t innocent_leaks = 0;
  size_t planted_clean = 0;
  size_t errors = 0;
  for (const Score& score : scores) {
    planted += !score.innocent;
    found += !score.innocent && score.right_site && score.iterations <= kBudget;
    innocent_leaks += score.innocent && score.verdict == Verdict::kLeak;
    planted_clean += !score.innocent && score.verdict == Verdict::kClean;
    errors += score.verdict == Verdict::kError;
  }
  const auto none = [](const char* name, size_t value) {
    return Bar{.name = name, .value = static_cast<double>(value), .limit = 0, .at_most = true};
  };
  std::vector<Bar> bars = {none("innocent cases called LEAK", innocent_leaks),
                           none("planted cases called CLEAN", planted_clean),
                           none("cases in error", errors)};
  if (planted > 0) {
    bars.push_back({.name = "share of planted cases LEAK with the right site within 2,048",
                    .value = static_cast<double>(found) / static_cast<double>(planted),
                    .limit = kFoundShare});
  }
  return bars;
}

std::string RenderText(std::span<const Score> scores) {
  const std::vector<PatternScore> table = Summarize(scores);
  std::string text = Format("%-24s %-8s %5s %5s %5s %5s %7s %6s %6s %6s", "PATTERN", "TRUTH",
                            "LEAK", "GROW", "CLEAN", "OTHER", "SITE", "ITER", "MOST", "SEC");
  for (const Rival& rival : Rivals()) text += std::string(" ") + rival.name;
  text += "\n";
  for (const PatternScore& row : table) text += RenderRow(row);
  text += "\nflagged by the other rules (share of recordings of 512 iterations):\n";
  for (const bool innocent : {false, true}) {
    const std::vector<std::optional<double>> totals = RivalTotals(table, innocent);
    text += Format("%-9s", innocent ? "innocent" : "planted");
    for (size_t i = 0; i < totals.size(); ++i) {
      if (totals[i]) text += Format("  %s %.2f", Rivals()[i].name, *totals[i]);
    }
    text += "\n";
  }
  double seconds = 0;
  for (const PatternScore& row : table) seconds += row.seconds;
  text += Format("\n%zu cases of %zu patterns judged in %.0f s\n", scores.size(), table.size(),
                 seconds);
  for (const Bar& bar : CheckBars(scores)) {
    text += Format("%-8s %s: %.4g (bar: %s %.4g)\n", bar.Holds() ? "holds" : "BROKEN",
                   bar.name.c_str(), bar.value, bar.at_most ? "at most" : "at least", bar.limit);
  }
  for (const Score& score : scores) {
    const bool expected = score.innocent ? score.verdict == Verdict::kClean : score.right_site;
    if (expected) continue;
    text += Format("%s, seed %llu: %s: ", score.pattern.c_str(),
                   static_cast<unsigned long long>(score.seed), VerdictName(score.verdict)) +
            score.reason + "\n";
  }
  return text;
}

std::string RenderCsv(std::span<const Score> scores) {
  std::string text =
      "pattern,truth,cases,leak,growing,clean,other,right_site,median_iterations,most_iterations,"
      "seconds";
  for (const Rival& rival : Rivals()) text += std::string(",") + rival.name;
  text += "\n";
  for (const PatternScore& row : Summarize(scores)) {
    text += Format("%s,%s,%zu,%zu,%zu,%zu,%zu,%zu,%g,%u,%.2f", row.pattern.c_str(),
                   row.innocent ? "innocent" : "planted", row.cases, CountOf(row, Verdict::kLeak),
                   CountOf(row, Verdict::kGrowing), CountOf(row, Verdict::kClean), Others(row),
                   row.right_sites, row.median_iterations, row.most_iterations, row.seconds);
    for (const std::optional<double>& share : row.rivals) {
      text += share ? Format(",%g", *share) : ",";
    }
    text += "\n";
  }
  return text;
}

std::string RenderJson(std::span<const Score> scores) {
  nlohmann::ordered_json patterns = nlohmann::ordered_json::array();
  for (const PatternScore& row : Summarize(scores)) {
    nlohmann::ordered_json rivals;
    for (size_t i = 0; i < row.rivals.size(); ++i) {
      rivals[Rivals()[i].name] =
          row.rivals[i] ? nlohmann::ordered_json(*row.rivals[i]) : nlohmann::ordered_json();
    }
    patterns.push_back({{"pattern", row.pattern},
                        {"truth", row.innocent ? "innocent" : "planted"},
                        {"cases", row.cases},
                        {"leak", CountOf(row, Verdict::kLeak)},
                        {"growing", CountOf(row, Verdict::kGrowing)},
                        {"clean", CountOf(row, Verdict::kClean)},
                        {"other", Others(row)},
                        {"right_site", row.right_sites},
                        {"median_iterations", row.median_iterations},
                        {"most_iterations", row.most_iterations},
                        {"seconds", row.seconds},
                        {"flagged_by", rivals}});
  }
  nlohmann::ordered_json bars = nlohmann::ordered_json::array();
  for (const Bar& bar : CheckBars(scores)) {
    bars.push_back({{"name", bar.name},
                    {"value", bar.value},
                    {bar.at_most ? "at_most" : "at_least", bar.limit},
                    {"holds", bar.Holds()}});
  }
  nlohmann::ordered_json cases = nlohmann::ordered_json::array();
  for (const Score& score : scores) {
    cases.push_back({{"pattern", score.pattern},
                     {"seed", score.seed},
                     {"verdict", VerdictName(score.verdict)},
                     {"right_site", score.right_site},
                     {"iterations", score.iterations},
                     {"seconds", score.seconds},
                     {"reason", score.reason}});
  }
  const nlohmann::ordered_json all = {{"patterns", patterns}, {"bars", bars}, {"cases", cases}};
  return all.dump(1) + "\n";
}

}  // namespace plimsoll
