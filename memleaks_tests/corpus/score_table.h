#ifndef MEMLEAKS_TESTS_CORPUS_SCORE_TABLE_H_
#define MEMLEAKS_TESTS_CORPUS_SCORE_TABLE_H_

// From the scores of single cases to the confusion matrix by pattern, the bars, and their
// text, CSV and JSON. Pure functions; thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "memleaks_tests/corpus/score_case.h"

namespace plimsoll {

constexpr size_t kVerdicts = 6;

// Of one pattern, all seeds.
struct PatternScore {
  std::string pattern;
  bool innocent = false;
  size_t cases = 0;
  std::array<size_t, kVerdicts> verdicts = {};  // by Verdict
  size_t right_sites = 0;
  double median_iterations = 0;
  uint32_t most_iterations = 0;
  double seconds = 0;  // wall time of all, until the verdict
  // The share of the recordings that each of Rivals() flags; absent without recordings.
  std::vector<std::optional<double>> rivals;
};

// In the order in which the patterns first come.
std::vector<PatternScore> Summarize(std::span<const Score> scores);

struct Bar {
  std::string name;
  double value = 0;
  double limit = 0;
  bool at_most = false;  // else at least
  bool Holds() const { return at_most ? value <= limit : value >= limit; }
};

// No innocent LEAK, no planted CLEAN, no case in error, 95 % of the planted ones LEAK with
// their site within 2,048 iterations (only when there is a planted one).
std::vector<Bar> CheckBars(std::span<const Score> scores);

std::string RenderText(std::span<const Score> scores);
std::string RenderCsv(std::span<const Score> scores);   // one line a pattern
std::string RenderJson(std::span<const Score> scores);  // patterns, bars and every case

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_CORPUS_SCORE_TABLE_H_
