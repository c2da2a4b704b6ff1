#ifndef MEMLEAKS_TESTS_PATTERN_TESTS_H_
#define MEMLEAKS_TESTS_PATTERN_TESTS_H_

// Makes a LEAK_TEST of each pattern of a table: planted ones must be caught by kind, site and
// period, innocent ones must be CLEAN. To be called before main().

#include <functional>
#include <span>
#include <string>

#include "harness/leak_test.h"
#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

// The tests are called Planted<name>.<pattern> and Innocent<name>.<pattern>. `adjust` may
// change what a pattern's test asks for. `patterns` must live for ever. Returns true.
bool RegisterPatternTests(const std::string& name, std::span<const Pattern> patterns,
                          const char* file, int line,
                          const std::function<void(const Pattern&, LeakTestOptions&)>& adjust = {});

// How many of them are planted.
size_t CountPlanted(std::span<const Pattern> patterns);

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_PATTERN_TESTS_H_
