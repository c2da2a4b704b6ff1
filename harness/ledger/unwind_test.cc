#include "harness/ledger/unwind.h"

#include <alloca.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unwind.h>

#include <functional>
#include <thread>
#include <vector>

namespace plimsoll::ledger {
namespace {

struct Captured {
  Stack ours;
  std::vector<uint64_t> theirs;  // the C++ runtime's own unwinder
};

_Unwind_Reason_Code Add(_Unwind_Context* context, void* list) {
  if (_Unwind_GetIP(context) == 0) return _URC_END_OF_STACK;
  static_cast<std::vector<uint64_t>*>(list)->push_back(_Unwind_GetIP(context));
  return _URC_NO_REASON;
}

// Both stacks begin at the caller of this function.
__attribute__((noinline)) void Capture(Captured* captured) {
  CaptureStack(__builtin_frame_address(0), 64, &captured->ours);
  std::vector<uint64_t> all;
  _Unwind_Backtrace(&Add, &all);
  captured->theirs.assign(all.begin() + 1, all.end());
  __asm__ volatile("");
}

void ExpectSame(const Captured& captured, size_t at_least) {
  const Stack& ours = captured.ours;
  ASSERT_GE(ours.count, at_least);
  ASSERT_EQ(std::vector<uint64_t>(ours.addresses, ours.addresses + ours.count), captured.theirs);
}

__attribute__((noinline)) void Plain(Captured* captured, int depth) {
  if (depth == 0) {
    Capture(captured);
  } else {
    Plain(captured, depth - 1);
  }
  __asm__ volatile("");
}

// A frame pointer, for the stack pointer moves by an unknown amount.
__attribute__((noinline)) void Alloca(Captured* captured, size_t bytes) {
  char* room = static_cast<char*>(alloca(bytes));
  memset(room, 1, bytes);
  Plain(captured, 2);
  __asm__ volatile("" : : "r"(room) : "memory");
}

// The CFA is read from memory.
__attribute__((noinline)) void Aligned(Captured* captured) {
  alignas(64) char room[256];
  memset(room, 1, sizeof room);
  __asm__ volatile("" : : "r"(room) : "memory");
  Alloca(captured, 100);
  __asm__ volatile("" : : "r"(room) : "memory");
}

TEST(CaptureStack, PlainFrames) {
  Captured captured;
  Plain(&captured, 5);
  ExpectSame(captured, 10);
}

TEST(CaptureStack, FramesOfUnknownAndAlignedSize) {
  Captured captured;
  Aligned(&captured);
  ExpectSame(captured, 10);
  Alloca(&captured, 5000);
  ExpectSame(captured, 10);
}

TEST(CaptureStack, ThroughTheCLibrary) {
  static Captured captured;
  int numbers[2] = {2, 1};
  qsort(numbers, 2, sizeof numbers[0], [](const void*, const void*) {
    Capture(&captured);
    return 0;
  });
  ExpectSame(captured, 6);
}

TEST(CaptureStack, ThroughFunctionObjectsAndThreads) {
  Captured captured;
  const std::function<void()> run = [&] { Aligned(&captured); };
  std::thread([&] { run(); }).join();
  ExpectSame(captured, 6);
}

TEST(CaptureStack, WhileAnExceptionIsHandled) {
  Captured captured;
  try {
    throw 1;
  } catch (int) {
    Plain(&captured, 1);
  }
  ExpectSame(captured, 5);
}

TEST(CaptureStack, DeepStacksKeepTheInnerEnd) {
  Captured captured;
  Plain(&captured, 500);
  ASSERT_EQ(captured.ours.count, 64u);
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(captured.ours.addresses[i], captured.theirs[i]);
  CaptureStack(__builtin_frame_address(0), 3, &captured.ours);
  EXPECT_EQ(captured.ours.count, 3u);
}

// From one place: the count is not known when this is compiled.
void CaptureTwice(Captured* first, Captured* second) {
  volatile int times = 2;
  for (int i = 0; i < times; ++i) {
    Aligned(i == 0 ? first : second);
    ForgetUnwindRules();
  }
}

TEST(CaptureStack, HashTellsStacksApart) {
  Captured first, again, deeper;
  CaptureTwice(&first, &again);
  Plain(&deeper, 4);
  EXPECT_EQ(first.ours.hash, again.ours.hash) << "with rules forgotten in between";
  EXPECT_NE(first.ours.hash, deeper.ours.hash);
}

// Code made at run time has no .eh_frame; its frame pointer is followed.
TEST(CaptureStack, ThroughCodeMadeAtRunTime) {
  // push rbp; mov rbp, rsp; call rdi; pop rbp; ret
  const unsigned char code[] = {0x55, 0x48, 0x89, 0xE5, 0xFF, 0xD7, 0x5D, 0xC3};
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  memcpy(page, code, sizeof code);
  ASSERT_EQ(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
  static Captured captured;
  CaptureStack(__builtin_frame_address(0), 64, &captured.ours);
  const size_t outside = captured.ours.count;
  reinterpret_cast<void (*)(void (*)())>(page)([] {
    Capture(&captured);
    __asm__ volatile("");
  });
  const auto made = reinterpret_cast<uint64_t>(page);
  // The lambda, the made code, this test, and all outside it.
  ASSERT_EQ(captured.ours.count, outside + 3);
  EXPECT_EQ(captured.ours.addresses[1], made + 6);
  munmap(page, 4096);
}

Captured coroutine_captured;
ucontext_t coroutine_context, main_context;

// On a stack that is no thread's, it stops quietly.
TEST(CaptureStack, OnAStackOfTheProgramsOwn) {
  std::vector<char> room(256 * 1024);
  ASSERT_EQ(getcontext(&coroutine_context), 0);
  coroutine_context.uc_stack.ss_sp = room.data();
  coroutine_context.uc_stack.ss_size = room.size();
  coroutine_context.uc_link = &main_context;
  makecontext(
      &coroutine_context, [] { Plain(&coroutine_captured, 3); }, 0);
  ASSERT_EQ(swapcontext(&main_context, &coroutine_context), 0);
  ASSERT_GE(coroutine_captured.ours.count, 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(coroutine_captured.ours.addresses[i], coroutine_captured.theirs[i]);
  }
}

TEST(CaptureStack, ByEightThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        Captured captured;
        Plain(&captured, i % 40);
        const Stack& ours = captured.ours;
        wrong[t] +=
            std::vector<uint64_t>(ours.addresses, ours.addresses + ours.count) != captured.theirs;
        if (i % 50 == 0) ForgetUnwindRules();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8));
}

}  // namespace
}  // namespace plimsoll::ledger
