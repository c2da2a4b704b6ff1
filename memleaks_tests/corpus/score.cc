// score: runs the leak corpus at many seeds and prints the confusion matrix by pattern, what
// other tools' rules say of the same patterns, and whether the bars hold.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "base/caller_folder.h"
#include "base/error.h"
#include "harness/report/progress.h"
#include "harness/report/terminal.h"
#include "memleaks_tests/corpus/corpus.h"
#include "memleaks_tests/corpus/score_case.h"
#include "memleaks_tests/corpus/score_table.h"
#include "scenarios/launch/installation.h"
#include "scenarios/launch/launch.h"

namespace plimsoll {
namespace {

constexpr int kBarsHold = 0;
constexpr int kBarBroken = 1;
constexpr int kBadRequest = 2;

volatile std::sig_atomic_t g_interrupted = 0;

void Interrupt(int) { g_interrupted = 1; }

class Observer : public CaseObserver {
 public:
  explicit Observer(Progress& progress) : progress_(progress) {}
  void OnSample(const Sample& sample) override { progress_.OnSample(sample); }
  bool Cancelled() override { return g_interrupted != 0; }

 private:
  Progress& progress_;
};

struct Options {
  std::string seeds = "1-20";
  std::string filter;
  std::string json, csv;
  uint32_t iterations = 2048;
  bool no_rivals = false;
};

int Refuse(const Error& error) {
  std::fprintf(stderr, "score: %s\n", error.message.c_str());
  return kBadRequest;
}

// "3" or "1-20".
Expected<std::vector<uint64_t>> ParseSeeds(const std::string& text) {
  static const std::regex kForm("([0-9]{1,9})(-([0-9]{1,9}))?");
  std::smatch match;
  if (!std::regex_match(text, match, kForm)) {
    return BadValue("", "--seeds", text, "expected a number or a range, such as 1-20");
  }
  const uint64_t first = std::stoull(match[1]);
  const uint64_t last = match[3].matched ? std::stoull(match[3]) : first;
  if (last < first || last - first > 10'000) {
    return BadValue("", "--seeds", text, "expected an ascending range of at most 10,000");
  }
  std::vector<uint64_t> seeds;
  for (uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
  return seeds;
}

Expected<std::vector<Pattern>> ChoosePatterns(const std::string& filter) {
  std::regex wanted;
  try {
    wanted.assign(filter);
  } catch (const std::regex_error& error) {
    return BadValue("", "--filter", filter,
                    std::string("expected a regular expression: ") + error.what());
  }
  std::vector<Pattern> chosen;
  for (const Pattern& pattern : Corpus()) {
    if (std::regex_search(std::string(pattern.name), wanted)) chosen.push_back(pattern);
  }
  if (chosen.empty()) {
    return BadValue("", "--filter", filter,
                    "matches none of " + std::to_string(Corpus().size()) + " patterns");
  }
  return chosen;
}

int Run(const Options& options) {
  const auto seeds = ParseSeeds(options.seeds);
  if (!seeds.has_value()) return Refuse(seeds.error());
  const auto patterns = ChoosePatterns(options.filter);
  if (!patterns.has_value()) return Refuse(patterns.error());
  const auto engine = InstalledFile("memleaks_tests/corpus/engine_corpus");
  if (!engine.has_value()) return Refuse(engine.error());
  const auto ledger = LedgerLibrary();
  if (!ledger.has_value()) return Refuse(ledger.error());
  const auto folder = ScratchFolder::Make();
  if (!folder.has_value()) return Refuse(folder.error());
  ScoreSetup setup = {.engine = *engine,
                      .ledger = *ledger,
                      .folder = folder->path(),
                      .rule = ScoreRule(),
                      .rivals = !options.no_rivals};
  setup.rule.max_iterations = options.iterations;
  if (const Status checked = Check(setup.rule); !checked.has_value()) {
    return Refuse(checked.error());
  }

  std::signal(SIGINT, Interrupt);
  std::signal(SIGTERM, Interrupt);
  std::vector<Score> scores;
  {
    Progress progress(STDERR_FILENO, seeds->size() * patterns->size());
    Observer observer(progress);
    for (const uint64_t seed : *seeds) {
      for (const Pattern& pattern : *patterns) {
        progress.StartCase(std::string(pattern.name) + ", seed " + std::to_string(seed));
        Expected<Score> score = ScorePattern(setup, pattern, seed, observer);
        progress.EndCase();
        if (g_interrupted != 0) break;
        if (!score.has_value()) return Refuse(score.error());
        scores.push_back(*std::move(score));
      }
      if (g_interrupted != 0) break;
    }
  }
  if (scores.empty()) return kBadRequest;
  // With JSON on standard output, nothing else goes there.
  if (options.json != "-" && options.csv != "-") std::fputs(RenderText(scores).c_str(), stdout);
  if (!options.json.empty()) {
    const Status written = WriteOutput(options.json, RenderJson(scores));
    if (!written.has_value()) return Refuse(written.error());
  }
  if (!options.csv.empty()) {
    const Status written = WriteOutput(options.csv, RenderCsv(scores));
    if (!written.has_value()) return Refuse(written.error());
  }
  if (g_interrupted != 0) return kBadRequest;
  for (const Bar& bar : CheckBars(scores)) {
    if (!bar.Holds()) return kBarBroken;
  }
  return kBarsHold;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  // Paths are the caller's.
  if (const plimsoll::Status entered = plimsoll::EnterCallerFolder(); !entered) {
    std::fprintf(stderr, "score: %s\n", entered.error().message.c_str());
    return plimsoll::kBadRequest;
  }
  CLI::App app(
      "Runs every pattern of the leak corpus at every seed, each in its own process, and\n"
      "prints the confusion matrix by pattern, what other tools' rules say of the same\n"
      "patterns, and whether the bars hold.",
      "score");
  app.footer(
      "Exit status: 0 every bar holds; 1 one is broken; 2 the request is wrong, or the run "
      "was interrupted.");
  plimsoll::Options options;
  app.add_option("--seeds", options.seeds, "A seed, or a range of them")->capture_default_str();
  app.add_option("--filter", options.filter, "Only patterns that match this regular expression");
  app.add_option("--json", options.json, "Write every case there (-: standard output)");
  app.add_option("--csv", options.csv, "Write a line a pattern there (-: standard output)");
  app.add_option("--iterations", options.iterations, "Judge at most so many")
      ->capture_default_str();
  app.add_flag("--no-rivals", options.no_rivals,
               "Our rule only: no second run of 512 iterations as a recording for the others");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? plimsoll::kBarsHold : plimsoll::kBadRequest;
  }
  return plimsoll::Run(options);
}
