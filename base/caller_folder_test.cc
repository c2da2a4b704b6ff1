#include "base/caller_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace plimsoll {
namespace {

TEST(CallerFolder, IsWhereBazelRunWasCalled) {
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_EQ(CallerFolder(), ".");
  const std::filesystem::path before = std::filesystem::current_path();
  ASSERT_TRUE(EnterCallerFolder().has_value());
  EXPECT_EQ(std::filesystem::current_path(), before);
  setenv("BUILD_WORKING_DIRECTORY", "/usr", 1);
  EXPECT_EQ(CallerFolder(), "/usr");
  ASSERT_TRUE(EnterCallerFolder().has_value());
  EXPECT_EQ(std::filesystem::current_path(), "/usr");
}

TEST(CallerFolder, OneThatIsGoneIsNamed) {
  setenv("BUILD_WORKING_DIRECTORY", "/nowhere", 1);
  const Status entered = EnterCallerFolder();
  ASSERT_FALSE(entered.has_value());
  EXPECT_EQ(entered.error().message, "/nowhere: enter the folder: No such file or directory");
}

}  // namespace
}  // namespace plimsoll
