#include "tools/exit_status.h"

#include <gtest/gtest.h>

#include <vector>

namespace plimsoll {
namespace {

CaseResult With(Verdict verdict, bool skipped = false) {
  CaseResult result;
  result.verdict = verdict;
  result.skipped = skipped;
  return result;
}

int StatusOf(const std::vector<CaseResult>& cases) { return ExitStatusOf(cases); }

TEST(ExitStatus, TellsTheWorst) {
  const CaseResult clean = With(Verdict::kClean);
  EXPECT_EQ(StatusOf({clean, clean}), kExitHolds);
  EXPECT_EQ(StatusOf({clean, With(Verdict::kGrowing)}), kExitUndecided);
  EXPECT_EQ(StatusOf({clean, With(Verdict::kInconclusive)}), kExitUndecided);
  EXPECT_EQ(StatusOf({With(Verdict::kGrowing), With(Verdict::kError)}), kExitFailed);
  EXPECT_EQ(StatusOf({With(Verdict::kError), With(Verdict::kLeak)}), kExitLeaks);
  EXPECT_EQ(StatusOf({clean, With(Verdict::kOver)}), kExitLeaks);
}

TEST(ExitStatus, ARunThatJudgedNothingDoesNotPass) {
  EXPECT_EQ(StatusOf({}), kExitUndecided);
  EXPECT_EQ(StatusOf({With(Verdict::kInconclusive, /*skipped=*/true)}), kExitUndecided);
  EXPECT_EQ(StatusOf({With(Verdict::kInconclusive, true), With(Verdict::kClean)}), kExitHolds);
}

}  // namespace
}  // namespace plimsoll
