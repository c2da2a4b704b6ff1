#include "allocators/planner_arena/planner/lifetimes_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plimsoll {
namespace {

LifetimesFile Parsed(const std::string& text, bool inclusive = false) {
  const Expected<LifetimesFile> file = ParseLifetimes("f", text, inclusive);
  EXPECT_TRUE(file) << file.error().message;
  return file ? *file : LifetimesFile();
}

std::string ErrorOf(const std::string& text, bool inclusive = false) {
  const Expected<LifetimesFile> file = ParseLifetimes("f", text, inclusive);
  return file ? "none" : file.error().message;
}

TEST(LifetimesFileTest, ReadsTableAndWritesOffsets) {
  const LifetimesFile file = Parsed("id,lower,upper,size\na,3,9,100\r\n\nb,-4,3,7\n");
  ASSERT_EQ(file.buffers.size(), 2u);
  EXPECT_EQ(file.buffers[0].lower, 3);
  EXPECT_EQ(file.buffers[0].upper, 9);
  EXPECT_EQ(file.buffers[0].size, 100);
  EXPECT_EQ(file.buffers[0].alignment, 1);
  EXPECT_EQ(file.buffers[1].lower, -4);
  EXPECT_EQ(WriteOffsets(file, {0, 128}),
            "id,lower,upper,size,offset\na,3,9,100,0\nb,-4,3,7,128\n");
}

TEST(LifetimesFileTest, ColumnsAreFoundByName) {
  const LifetimesFile file =
      Parsed("size,offset,alignment,id,upper,lower,site\n8,77,64,x,5,2,\"f(a,b)\"\n");
  ASSERT_EQ(file.buffers.size(), 1u);
  EXPECT_EQ(file.buffers[0].size, 8);
  EXPECT_EQ(file.buffers[0].alignment, 64);
  EXPECT_EQ(file.buffers[0].lower, 2);
  // An old offset makes way for the new.
  EXPECT_EQ(WriteOffsets(file, {192}),
            "size,alignment,id,upper,lower,site,offset\n8,64,x,5,2,\"f(a,b)\",192\n");
}

TEST(LifetimesFileTest, ReadsProfileOfArena) {
  const LifetimesFile file = Parsed(
      "id,lower,upper,size,alignment,thread,fate,site\n"
      "0,1,4,100,64,0,in_step,conv\n1,2,14,50,64,0,carried,loss\n2,3,,9,64,0,outlives,cache\n");
  ASSERT_EQ(file.buffers.size(), 2u);
  EXPECT_EQ(file.buffers[1].upper, 14);
  EXPECT_EQ(file.carried, (std::vector<bool>{false, true}));
  EXPECT_EQ(file.outlasting, 1u);
}

TEST(LifetimesFileTest, ReadsTriples) {
  const LifetimesFile file = Parsed("0 381 92928\n1\t379  256\n");
  ASSERT_EQ(file.buffers.size(), 2u);
  EXPECT_EQ(file.buffers[1].upper, 379);
  EXPECT_EQ(file.buffers[1].size, 256);
  EXPECT_EQ(WriteOffsets(file, {0, 92928}), "0 381 92928 0\n1\t379  256 92928\n");
}

TEST(LifetimesFileTest, ReadsCalls) {
  const LifetimesFile file = Parsed(
      "Thread,Time,Action,Pointer,Size,Stream\n"
      "1,0.1,allocate,0x10,256,0\n1,0.2,allocate,0x20,512,0\n1,0.3,free,0x10,256,0\n"
      "1,0.3,allocate failure,0x0,99,0\n2,0.4,allocate,0x10,64,0\n2,0.5,free,0x20,512,0\n");
  ASSERT_EQ(file.buffers.size(), 3u);
  EXPECT_EQ(file.never_freed, 1u);
  EXPECT_EQ(WriteOffsets(file, {0, 256, 0}),
            "id,lower,upper,size,offset\n0,0,2,256,0\n1,1,5,512,256\n2,4,6,64,0\n");
}

TEST(LifetimesFileTest, InclusiveRangesEndLater) {
  const LifetimesFile file = Parsed("id,lower,upper,size\n0,3,3,1\n", true);
  EXPECT_EQ(file.buffers.at(0).upper, 4);
  EXPECT_EQ(Parsed("3 3 1\n", true).buffers.at(0).upper, 4);
}

TEST(LifetimesFileTest, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(ErrorOf(""), "f: expected lifetimes, but the file is empty");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n0,1,2,3\n1,1,2,3x\n"),
            "f:3: size: '3x': expected a whole number");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,1,2,\n"), "f:2: size: '': expected a whole number");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,1,99999999999999999999,5\n"),
            "f:2: upper: '99999999999999999999': expected a whole number");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,4,4,5\n"),
            "f:2: upper: '4': expected more than lower, which is 4 (ranges that include their "
            "end: --inclusive)");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,4,3,5\n", true),
            "f:2: upper: '3': expected at least lower, which is 4");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,4,9223372036854775807,5\n", true),
            "f:2: upper: '9223372036854775807': expected < 2^62 - 1");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,4,4611686018427387904,5\n"),
            "f:2: upper: '4611686018427387904': expected < 2^62");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,-9223372036854775808,9223372036854775807,5\n"),
            "f:2: lower: '-9223372036854775808': expected > -2^62");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,3,4,-5\n"), "f:2: size: '-5': expected >= 0 bytes");
  EXPECT_EQ(ErrorOf("lower,upper,size,alignment\n3,4,5,0\n"),
            "f:2: alignment: '0': expected >= 1 byte");
  EXPECT_EQ(ErrorOf("id,lower,upper,size\n1,3,4\n"),
            "f:2: '1,3,4': expected 4 fields, as in the header, not 3");
  EXPECT_NE(ErrorOf("id,begin,end,size\n").find("f:1: header: 'id,begin,end,size': expected"),
            std::string::npos);
  EXPECT_NE(ErrorOf("0,1,2,4611686018427387904\n").find("f:1: header"), std::string::npos);
  EXPECT_NE(ErrorOf("lower,upper,size\n0,1,4611686018427387904\n").find("less than 2^62"),
            std::string::npos);
  EXPECT_EQ(ErrorOf("0 5 12\n0 5\n"),
            "f:2: '0 5': expected three numbers: when allocated, when freed, bytes");
  EXPECT_EQ(ErrorOf("0 5 12\n0 five 12\n"), "f:2: free time: 'five': expected a whole number");
}

TEST(LifetimesFileTest, ReadsOffsets) {
  const LifetimesFile file = Parsed("id,lower,upper,size,offset\n\na,3,9,100,7\nb,-4,3,7,0\n");
  EXPECT_EQ(file.offsets, (std::vector<int64_t>{7, 0}));
  EXPECT_EQ(file.ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.lines, (std::vector<size_t>{3, 4}));
  const LifetimesFile numbers = Parsed("0 381 92928  5\n1\t379  256 0\n");
  EXPECT_EQ(numbers.offsets, (std::vector<int64_t>{5, 0}));
  EXPECT_EQ(numbers.ids, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(WriteOffsets(numbers, {1, 2}), "0 381 92928 1\n1\t379  256 2\n");
  EXPECT_TRUE(Parsed("0 381 92928\n").offsets.empty());
  EXPECT_EQ(ErrorOf("lower,upper,size,offset\n0,5,12,x\n"),
            "f:2: offset: 'x': expected a whole number");
  EXPECT_EQ(ErrorOf("0 5 12 0\n0 5 12\n"),
            "f:2: '0 5 12': expected four numbers: when allocated, when freed, bytes, offset");
}

TEST(LifetimesFileTest, NothingTwice) {
  EXPECT_EQ(ErrorOf("id,lower,upper,size\nx,0,5,12\ny,0,5,12\nx,7,8,1\n"),
            "f:4: id: 'x': expected another than in line 2");
  EXPECT_EQ(ErrorOf("id,lower,upper,size,lower\nx,0,5,12,0\n"),
            "f:1: header: 'lower': expected each column once");
}

TEST(LifetimesFileTest, ErrorsInCalls) {
  const std::string header = "Thread,Time,Action,Pointer,Size,Stream\n";
  EXPECT_EQ(ErrorOf(header + "1,0,free,0x10,1,0\n"),
            "f:2: Pointer: '0x10': expected one that is live");
  EXPECT_EQ(ErrorOf(header + "1,0,allocate,0x10,1,0\n1,0,allocate,0x10,1,0\n"),
            "f:3: Pointer: '0x10': expected one that is not live");
  EXPECT_EQ(ErrorOf(header + "1,0,allocate,0x10,-1,0\n"),
            "f:2: Size: '-1': expected a number of bytes");
  EXPECT_EQ(ErrorOf(header + "1,0,realloc,0x10,1,0\n"),
            "f:2: Action: 'realloc': expected allocate, free or allocate failure");
  EXPECT_EQ(ErrorOf("Thread,Time,Action,Size\n"),
            "f:1: header: 'Thread,Time,Action,Size': expected columns "
            "Thread,Time,Action,Pointer,Size,Stream");
}

}  // namespace
}  // namespace plimsoll
