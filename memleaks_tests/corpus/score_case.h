#ifndef MEMLEAKS_TESTS_CORPUS_SCORE_CASE_H_
#define MEMLEAKS_TESTS_CORPUS_SCORE_CASE_H_

// One pattern of the corpus at one seed, in a process of its own: what our rule says of it,
// and what the rules of other tools say of a recording. Thread-compatible.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/runner/parent.h"
#include "harness/verdict/rule.h"
#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

struct Score {
  std::string pattern;
  bool innocent = false;
  uint64_t seed = 0;
  Verdict verdict = Verdict::kError;
  bool right_site = false;  // LEAK with a leaking site of the planted kind and function
  uint32_t iterations = 0;  // judged
  double seconds = 0;       // wall time until the verdict
  std::string reason;
  // What each of Rivals() says; absent where the recording failed or was not asked for.
  std::vector<std::optional<bool>> rivals;
};

// CLEAN is said once a leak in 34 iterations is excluded: the corpus's rarest random leak
// happens in 3 % of them. All else as the harness's defaults are.
Rule ScoreRule();

struct ScoreSetup {
  std::string engine;  // path of engine_corpus
  std::string ledger;  // path of the shared object to preload
  std::string folder;  // writable, for the engine's configuration
  Rule rule = ScoreRule();
  bool rivals = true;  // a second run, without early stop, as their recording
};

// The error is of the set-up; a case that fails is a Score with verdict ERROR.
Expected<Score> ScorePattern(const ScoreSetup& setup, const Pattern& pattern, uint64_t seed,
                             CaseObserver& observer);

// What the rivals say of a recording of `kind`, warm-up left out. A kind whose blocks have no
// bytes counts 64 for each.
std::vector<std::optional<bool>> ScoreRivals(const CaseResult& recording, ResourceKind kind);

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_CORPUS_SCORE_CASE_H_
