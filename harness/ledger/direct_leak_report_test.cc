#include "harness/ledger/direct_leak_report.h"

#include <gtest/gtest.h>

#include <string>

namespace plimsoll::ledger {
namespace {

using Stack = std::vector<std::string>;

TEST(ParseDirectLeaks, LeakSanitizerCountsFromTheStart) {
  const auto leaks = ParseDirectLeaks(
      "Direct leak of 8 byte(s) in 1 object(s) allocated from:\n"
      "    #0 0x1 in Before a.cc:1\n"
      "\n"
      "plimsoll: iteration 1\n"
      "==7==ERROR: LeakSanitizer: detected memory leaks\n"
      "\n"
      "Direct leak of 64 byte(s) in 1 object(s) allocated from:\n"
      "    #0 0x7f1 in __interceptor_malloc ../src/asan_malloc_linux.cpp:69\n"
      "    #1 0x551 in Leak(int) /home/me/src/a.cc:5:11\n"
      "    #2 0x552 in Library (/usr/lib/libfoo.so.1+0x12)\n"
      "\n"
      "Indirect leak of 32 byte(s) in 1 object(s) allocated from:\n"
      "    #0 0x7f1 in Other b.cc:1\n"
      "\n"
      "SUMMARY: AddressSanitizer: 96 byte(s) leaked in 2 allocation(s).\n"
      "plimsoll: iteration 2\n"
      "Direct leak of 64 byte(s) in 1 object(s) allocated from:\n"
      "    #0 0x7f1 in __interceptor_malloc ../src/asan_malloc_linux.cpp:69\n"
      "    #1 0x551 in Leak(int) /home/me/src/a.cc:5:11\n"
      "    #2 0x552 in Library (/usr/lib/libfoo.so.1+0x12)\n"
      "\n"
      "plimsoll: iteration 3\n"
      "Direct leak of 1024 byte(s) in 4 object(s) allocated from:\n"
      "    #0 0x7f1 in operator new(unsigned long) ../src/asan_new_delete.cpp:99\n"
      "    #1 0x551 in Leak(int) /home/me/src/a.cc:5:11\n"
      "    #2 0x552 in Library (/usr/lib/libfoo.so.1+0x12)\n"
      "\n");
  ASSERT_EQ(leaks.size(), 2u);
  EXPECT_EQ(leaks[0].iteration, 1u);
  EXPECT_EQ(leaks[0].bytes, 64u);
  EXPECT_EQ(leaks[0].blocks, 1u);
  EXPECT_EQ(leaks[0].stack, (Stack{"Leak (src/a.cc:5)", "Library (lib/libfoo.so.1+0x12)"}));
  EXPECT_EQ(leaks[1].iteration, 3u);
  EXPECT_EQ(leaks[1].bytes, 960u);
  EXPECT_EQ(leaks[1].blocks, 3u);
}

TEST(ParseDirectLeaks, ValgrindCountsWhatWasAdded) {
  const auto leaks = ParseDirectLeaks(
      "==7== Memcheck, a memory error detector\n"
      "**7** plimsoll: iteration 12\n"
      "==7== 1,064 (+1,000) bytes in 3 (+2) blocks are definitely lost in loss record 2 of 3\n"
      "==7==    at 0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_memcheck.so)\n"
      "==7==    by 0x109183: ns::Leak(int) (dl.cc:5)\n"
      "==7==    by 0x1091DE: main (in /usr/bin/tool)\n"
      "==7== \n"
      "==7== 64 (+64) (32 (+32) direct, 32 (+32) indirect) bytes in 1 (+1) blocks are definitely "
      "lost in loss record 3 of 3\n"
      "==7==    at 0x48417B4: operator new(unsigned long) (in /usr/libexec/x.so)\n"
      "==7==    by 0x10918D: Node::Add() (dl.cc:9)\n"
      "==7== \n"
      "==7== 8 (+8) bytes in 1 (+1) blocks are possibly lost in loss record 1 of 3\n"
      "==7==    by 0x10918D: Possible() (dl.cc:9)\n"
      "==7== LEAK SUMMARY:\n"
      "==7==    definitely lost: 96 (+96) bytes in 2 (+2) blocks\n"
      "==7== HEAP SUMMARY:\n"
      "==7== 64 bytes in 1 blocks are definitely lost in loss record 3 of 6\n"
      "==7==    by 0x109183: AtTheEnd() (dl.cc:5)\n");
  ASSERT_EQ(leaks.size(), 2u);
  EXPECT_EQ(leaks[0].iteration, 12u);
  EXPECT_EQ(leaks[0].bytes, 1000u);
  EXPECT_EQ(leaks[0].blocks, 2u);
  EXPECT_EQ(leaks[0].stack, (Stack{"ns::Leak (dl.cc:5)", "main (bin/tool)"}));
  EXPECT_EQ(leaks[1].bytes, 32u);
  EXPECT_EQ(leaks[1].blocks, 1u);
  EXPECT_EQ(leaks[1].stack, (Stack{"Node::Add (dl.cc:9)"}));
}

TEST(ParseDirectLeaks, OtherTextIsPassedOver) {
  EXPECT_TRUE(ParseDirectLeaks("").empty());
  EXPECT_TRUE(ParseDirectLeaks("plimsoll: iteration 1\nhello\n== ==\n#\n(+)\n").empty());
  EXPECT_TRUE(ParseDirectLeaks("plimsoll: iteration 1\nDirect leak of x byte(s)\n").empty());
  EXPECT_TRUE(
      ParseDirectLeaks("plimsoll: iteration 1\n==1== 5 (+5 bytes in 1 (+1) blocks are\n").empty());
}

}  // namespace
}  // namespace plimsoll::ledger
