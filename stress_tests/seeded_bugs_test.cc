// Proves that each sanitizer configuration can fail: in a child process it commits
// the bug that the configuration is there for, and expects the report. Without a
// sanitizer there is nothing to prove, and the tests say that they were skipped.

#include <gtest/gtest.h>
#include <valgrind/valgrind.h>

#include <cstdlib>
#include <limits>
#include <string_view>
#include <thread>

namespace plimsoll {
namespace {

// Set by the BUILD file from --config; a plain constant keeps every bug compiled.
#ifndef PLIMSOLL_SANITIZER
#define PLIMSOLL_SANITIZER "none"
#endif
constexpr std::string_view kSanitizer = PLIMSOLL_SANITIZER;

class SeededBug : public ::testing::Test {
 protected:
  void SetUp() override {
    // A child of its own: the bug must not touch this process, and a report at exit
    // needs a real exit.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

// Volatile, so that no compiler proves the bug and removes it.
volatile int g_index = 8;
volatile int g_large = std::numeric_limits<int>::max();
int g_raced = 0;
void* volatile g_forgotten = nullptr;

int ReadPastTheEnd() {
  int* block = new int[8]();
  const int value = block[g_index];
  delete[] block;
  return value;
}

int OverflowSigned() { return g_large + 1; }

void RaceOnAnInteger() {
  std::thread other([] { ++g_raced; });
  ++g_raced;
  other.join();
}

void ForgetABlock() {
  g_forgotten = std::malloc(1234);
  g_forgotten = nullptr;
}

TEST_F(SeededBug, HeapOverflowIsCaughtByAsan) {
  if (kSanitizer != "address") GTEST_SKIP() << "needs --config=asan";
  EXPECT_DEATH(std::exit(ReadPastTheEnd()), "heap-buffer-overflow");
}

TEST_F(SeededBug, LostBlockIsCaughtByLeakSanitizer) {
  if (kSanitizer != "address" && kSanitizer != "leak") GTEST_SKIP() << "needs --config=asan or lsan";
  EXPECT_DEATH(
      {
        ForgetABlock();
        std::exit(0);
      },
      "LeakSanitizer: detected memory leaks");
}

TEST_F(SeededBug, SignedOverflowIsCaughtByUbsan) {
  if (kSanitizer != "undefined") GTEST_SKIP() << "needs --config=ubsan";
  EXPECT_DEATH(std::exit(OverflowSigned()), "signed integer overflow");
}

TEST_F(SeededBug, DataRaceIsCaughtByTsan) {
  if (kSanitizer != "thread") GTEST_SKIP() << "needs --config=tsan";
  EXPECT_DEATH(
      {
        // A race may stay unseen when one thread ends before the other starts.
        for (int i = 0; i < 1000; ++i) RaceOnAnInteger();
        std::exit(0);
      },
      "data race");
}

TEST_F(SeededBug, LostBlockIsCaughtByValgrind) {
  if (RUNNING_ON_VALGRIND == 0) GTEST_SKIP() << "needs --config=valgrind";
  EXPECT_EXIT(
      {
        ForgetABlock();
        std::exit(0);
      },
      ::testing::ExitedWithCode(99), "definitely lost");
}

}  // namespace
}  // namespace plimsoll
