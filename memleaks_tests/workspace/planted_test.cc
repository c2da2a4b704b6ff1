// Every mistake with workspaces in patterns.cc is caught by its kind, its site and its
// rate, and its innocent twin is CLEAN.

#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "memleaks_tests/pattern_tests.h"
#include "memleaks_tests/workspace/patterns.h"

namespace plimsoll {
namespace {

const bool registered =
    RegisterPatternTests("Workspace", WorkspacePatterns(), __FILE__, __LINE__);

TEST(WorkspacePatterns, EveryMistakeHasAnInnocentTwin) {
  EXPECT_TRUE(registered);
  std::set<std::string_view> mistakes;
  std::set<std::string_view> twins;
  for (const Pattern& pattern : WorkspacePatterns()) {
    (pattern.innocent ? twins : mistakes).insert(pattern.innocent ? pattern.models : pattern.name);
  }
  EXPECT_GE(mistakes.size(), 7u);
  EXPECT_EQ(mistakes, twins);
}

}  // namespace
}  // namespace plimsoll
