#ifndef MEMLEAKS_TESTS_CORPUS_CORPUS_H_
#define MEMLEAKS_TESTS_CORPUS_CORPUS_H_

// The leak corpus: planted patterns and innocent ones with their ground truth, the
// basic ones of the reference engine included. Thread-safe: a constant table.

#include <span>
#include <string_view>

#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

// Every pattern; names are unique.
std::span<const Pattern> Corpus();

// The one of that name, or null.
const Pattern* FindPattern(std::string_view name);

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_CORPUS_CORPUS_H_
