#include "stress_tests/arena/resident.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstring>

namespace plimsoll {
namespace {

constexpr size_t kBytes = size_t{32} << 20;

TEST(ResidentTest, SeesWhatWasTouchedAndGivenBack) {
  const auto before = ReadResident();
  ASSERT_TRUE(before.has_value());
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  munmap(memory, kBytes);
  const auto after = ReadResident();
  ASSERT_TRUE(after.has_value());
  EXPECT_GE(MostBeyond(*before, *after), kBytes * 9 / 10);
  EXPECT_LE(MostBeyond(*before, *after), kBytes * 11 / 10);
  if (!ResetMostResident()) GTEST_SKIP() << "the kernel does not reset the high-water mark";
  EXPECT_LE(MostBeyond(*before, ReadResident().value()), kBytes / 10);
}

TEST(ResidentTest, PagesOfFilesDoNotCount) {
  EXPECT_EQ(
      MostBeyond({.now = 100, .most = 120, .file = 10}, {.now = 150, .most = 200, .file = 30}),
      80u);
  // Some that were there are gone.
  EXPECT_EQ(MostBeyond({.now = 100, .most = 120, .file = 10}, {.now = 150, .most = 200, .file = 0}),
            100u);
  EXPECT_EQ(MostBeyond({.now = 100, .most = 120, .file = 0}, {.now = 90, .most = 95, .file = 0}),
            0u);
}

}  // namespace
}  // namespace plimsoll
