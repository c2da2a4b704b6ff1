#include "allocators/memory_limit/anonymous_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/units.h"

namespace plimsoll {
namespace {

constexpr uint64_t kBytes = 64_MiB;

TEST(ProcAnonymousMemory, SeesAnonymousPagesWhenTheyAreTouched) {
  ProcAnonymousMemory memory;
  const uint64_t before = memory.Exact().value();
  void* pages = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  EXPECT_LT(memory.Exact().value(), before + kBytes / 2) << "mapped is not resident";
  std::memset(pages, 1, kBytes);
  EXPECT_GE(memory.Exact().value(), before + kBytes);
  EXPECT_NEAR(static_cast<double>(memory.Approximate().value()),
              static_cast<double>(memory.Exact().value()), static_cast<double>(16_MiB));
  ::munmap(pages, kBytes);
  EXPECT_LT(memory.Exact().value(), before + kBytes / 2);
}

TEST(ProcAnonymousMemory, DoesNotCountFilePages) {
  char name[] = "/tmp/plimsoll-anonymous-XXXXXX";
  const int file = ::mkstemp(name);
  ASSERT_GE(file, 0);
  ::unlink(name);
  ASSERT_EQ(::ftruncate(file, static_cast<off_t>(kBytes)), 0);
  ProcAnonymousMemory memory;
  const uint64_t before = memory.Exact().value();
  void* pages = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ASSERT_NE(pages, MAP_FAILED);
  std::memset(pages, 1, kBytes);
  EXPECT_LT(memory.Exact().value(), before + kBytes / 2);
  EXPECT_LT(memory.Approximate().value(), before + kBytes / 2);
  ::munmap(pages, kBytes);
  ::close(file);
}

TEST(ProcAnonymousMemory, AForkedChildReadsItself) {
  ProcAnonymousMemory memory;
  ASSERT_TRUE(memory.Exact().has_value());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const uint64_t before = memory.Exact().value_or(0);
    void* pages =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(pages, 1, kBytes);
    ::_exit(memory.Exact().value_or(0) >= before + kBytes / 2 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

}  // namespace
}  // namespace plimsoll
