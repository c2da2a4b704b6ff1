// operating_characteristics: simulates every synthetic pattern under every noise, and writes
// how often our rules and those of other tools call it a leak.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "base/caller_folder.h"
#include "base/error.h"
#include "base/file.h"
#include "harness/verdict/characteristics.h"
#include "harness/verdict/characteristics_report.h"
#include "harness/verdict/synthetic.h"

namespace plimsoll {
namespace {

constexpr int kBarsHold = 0;
constexpr int kBarBroken = 1;
constexpr int kBadRequest = 2;

struct Options {
  TrialPlan plan;
  uint32_t jobs = std::max(1u, std::thread::hardware_concurrency());
  std::string filter;
  std::string csv, svg, read;
};

int Refuse(const Error& error) {
  std::fprintf(stderr, "operating_characteristics: %s\n", error.message.c_str());
  return kBadRequest;
}

std::vector<RateRow> Simulate(const Options& options, const std::vector<Pattern>& patterns) {
  std::vector<std::vector<RateRow>> measured(patterns.size());
  std::atomic<size_t> next = 0;
  std::atomic<size_t> done = 0;
  std::mutex drawing;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto work = [&] {
    for (size_t i = next++; i < patterns.size(); i = next++) {
      measured[i] = MeasureRates(options.plan, patterns[i]);
      const size_t count = ++done;
      if (!terminal) continue;
      const std::lock_guard lock(drawing);
      std::fprintf(stderr, "\r\x1b[K%zu of %zu patterns, last: %s", count, patterns.size(),
                   patterns[i].name.c_str());
    }
  };
  std::vector<std::thread> workers;
  for (uint32_t i = 1; i < options.jobs; ++i) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  if (terminal) std::fputs("\r\x1b[K", stderr);
  std::vector<RateRow> rows;
  for (const std::vector<RateRow>& some : measured) {
    rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

int Run(const Options& options) {
  std::regex wanted;
  try {
    wanted.assign(options.filter);
  } catch (const std::regex_error& error) {
    return Refuse(BadValue("", "--filter", options.filter,
                           std::string("expected a regular expression: ") + error.what())
                      .value());
  }
  std::vector<Pattern> patterns;
  for (const Pattern& pattern : SurvivorPatterns()) {
    if (std::regex_search(pattern.name, wanted)) patterns.push_back(pattern);
  }
  if (patterns.empty()) {
    return Refuse(
        BadValue("", "--filter", options.filter,
                 "matches none of " + std::to_string(SurvivorPatterns().size()) + " patterns")
            .value());
  }
  std::vector<RateRow> rows;
  if (options.read.empty()) {
    rows = Simulate(options, patterns);
  } else {
    const auto csv = ReadFile(options.read);
    if (!csv.has_value()) return Refuse(csv.error());
    auto read = ReadCharacteristics(options.read, *csv);
    if (!read.has_value()) return Refuse(read.error());
    rows = *std::move(read);
  }
  std::fputs(CharacteristicsText(rows).c_str(), stdout);
  if (!options.csv.empty()) {
    const Status written = WriteFile(options.csv, CharacteristicsCsv(rows));
    if (!written.has_value()) return Refuse(written.error());
  }
  if (!options.svg.empty()) {
    const Status written = WriteFile(options.svg, CharacteristicsSvg(rows));
    if (!written.has_value()) return Refuse(written.error());
  }
  for (const CharacteristicsBar& bar : CheckBars(rows)) {
    if (!bar.Holds()) return kBarBroken;
  }
  return kBarsHold;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  // Paths are the caller's.
  if (const plimsoll::Status entered = plimsoll::EnterCallerFolder(); !entered) {
    std::fprintf(stderr, "operating_characteristics: %s\n", entered.error().message.c_str());
    return plimsoll::kBadRequest;
  }
  CLI::App app(
      "Simulates every synthetic pattern under every noise and says how often our rules,\n"
      "and those of other tools, call it a leak. Equal seeds give equal results.",
      "operating_characteristics");
  app.footer("Exit status: 0 every bar holds; 1 one is broken; 2 the request is wrong.");
  plimsoll::Options options;
  app.add_option("--seed", options.plan.seed, "Of all chances")->capture_default_str();
  app.add_option("--trials", options.plan.trials, "Of each pattern, noise and rule")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--bounded-trials", options.plan.bounded_trials,
                 "Of our rule for exact counters on bounded patterns, if more")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--trend-trials", options.plan.trend_trials,
                 "Of the trend rule outside the patterns of the published table, if fewer")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--jobs", options.jobs, "Threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--filter", options.filter, "Only patterns that match this regular expression");
  app.add_option("--csv", options.csv, "Write a line a pattern, noise and rule there");
  app.add_option("--svg", options.svg, "Write a plot there");
  app.add_option("--read", options.read, "Plot and check this CSV instead of simulating");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? plimsoll::kBarsHold : plimsoll::kBadRequest;
  }
  return plimsoll::Run(options);
}
