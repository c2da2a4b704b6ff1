#include "harness/runner/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace plimsoll {
namespace {

TEST(Environment, NamesAreUniqueAndFound) {
  std::set<std::string> names;
  for (const Environment& environment : KnownEnvironments()) {
    EXPECT_TRUE(names.insert(environment.name).second) << environment.name;
    const Expected<Environment> found = FindEnvironment(environment.name);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->description, environment.description);
  }
  EXPECT_THAT(names,
              testing::IsSupersetOf({"glibc", "glibc+trim", "glibc+tuned", "glibc+arena1",
                                     "jemalloc", "jemalloc+deeprec", "tcmalloc", "mimalloc"}));
}

TEST(Environment, UnknownNameListsTheKnownOnes) {
  const Expected<Environment> found = FindEnvironment("hoard");
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().message, testing::HasSubstr("environment: 'hoard': expected one of"));
  EXPECT_THAT(found.error().message, testing::HasSubstr("jemalloc+deeprec"));
}

TEST(FindLibrary, FindsTheCLibraryAndNothingElse) {
  const std::optional<std::string> libc = FindLibrary("libc.so.6");
  ASSERT_TRUE(libc.has_value());
  EXPECT_EQ(libc->substr(0, 1), "/");
  EXPECT_EQ(FindLibrary("libno-such-library.so.1"), std::nullopt);
}

}  // namespace
}  // namespace plimsoll
