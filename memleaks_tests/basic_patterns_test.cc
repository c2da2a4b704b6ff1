// The eight basic planted leaks, each of which must be caught by its kind, its site and
// its rate, and their innocent twins, which must be CLEAN. A LEAK_TEST for each pattern,
// made from the table that the reference engine's scripts use.

#include <gtest/gtest.h>

#include "memleaks_tests/pattern_tests.h"
#include "scenarios/engines/reference/patterns.h"

namespace plimsoll {
namespace {

const bool registered = RegisterPatternTests("", BasicPatterns(), __FILE__, __LINE__);

TEST(BasicPatterns, EightArePlantedAndFourAreInnocent) {
  EXPECT_TRUE(registered);
  const size_t planted = CountPlanted(BasicPatterns());
  EXPECT_GE(planted, 8u);
  EXPECT_GE(BasicPatterns().size() - planted, 4u);
}

}  // namespace
}  // namespace plimsoll
