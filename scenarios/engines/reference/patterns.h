#ifndef SCENARIOS_ENGINES_REFERENCE_PATTERNS_H_
#define SCENARIOS_ENGINES_REFERENCE_PATTERNS_H_

// The basic patterns: eight planted leaks and four innocent twins. memleaks_tests/corpus
// has many more. Thread-safe: a constant table.

#include <span>

#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

std::span<const Pattern> BasicPatterns();

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_PATTERNS_H_
