// The checkers themselves, through direct_leaks_program: under Valgrind in a plain build,
// with LeakSanitizer in a build that has it.

#include "harness/ledger/direct_leaks.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "harness/ledger/direct_leak_report.h"

namespace plimsoll::ledger {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The program leaks 64 bytes in every odd iteration of five, from LeakSixtyFour, and drops
// a list of two blocks in the fourth, from LeakList.
void ExpectTheLeaks(const std::vector<DirectLeak>& leaks) {
  std::vector<uint32_t> odd, list;
  for (const DirectLeak& leak : leaks) {
    ASSERT_FALSE(leak.stack.empty());
    const std::string& innermost = leak.stack[0];
    EXPECT_NE(innermost.find("direct_leaks_program.cc:"), std::string::npos) << innermost;
    if (innermost.rfind("LeakSixtyFour (", 0) == 0) {
      EXPECT_EQ(leak.bytes, 64u);
      EXPECT_EQ(leak.blocks, 1u);
      odd.push_back(leak.iteration);
    } else {
      EXPECT_EQ(innermost.rfind("LeakList (", 0), 0u) << innermost;
      EXPECT_EQ(leak.bytes, 48u) << "the second block is reached through the first";
      EXPECT_EQ(leak.blocks, 1u);
      list.push_back(leak.iteration);
    }
  }
  EXPECT_EQ(odd, (std::vector<uint32_t>{1, 3, 5}));
  EXPECT_EQ(list, (std::vector<uint32_t>{4}));
}

TEST(DirectLeaks, OfEachIterationWithTheirStacks) {
  const std::string report = std::string(getenv("TEST_TMPDIR")) + "/report";
  std::string command = "harness/ledger/direct_leaks_program " + report;
  if (AvailableLeakChecker() == LeakChecker::kNone) {
    if (system("command -v valgrind > /dev/null") != 0) GTEST_SKIP() << "no valgrind installed";
    command = "valgrind --leak-check=full --log-file=" + report + " " + command + ".unused";
  }
  ASSERT_EQ(system(command.c_str()), 0);
  const std::string text = Contents(report);
  ExpectTheLeaks(ParseDirectLeaks(text));
  // Of a report that is still being written, what is there.
  for (size_t length = 0; length < text.size(); length += 37) {
    EXPECT_LE(ParseDirectLeaks(text.substr(0, length)).size(), 4u);
  }
}

TEST(DirectLeaks, WithoutACheckerNothingIsChecked) {
  if (AvailableLeakChecker() != LeakChecker::kNone) GTEST_SKIP() << "there is one";
  EXPECT_FALSE(CheckDirectLeaks(1, STDERR_FILENO));
}

}  // namespace
}  // namespace plimsoll::ledger
