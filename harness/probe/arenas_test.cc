#include "harness/probe/arenas.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

namespace plimsoll {
namespace {

TEST(ParseMallocInfo, ReadsEachHeapsTotals) {
  const char* xml =
      "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n"
      "  <size from=\"33\" to=\"48\" total=\"96\" count=\"2\"/>\n</sizes>\n"
      "<total type=\"fast\" count=\"2\" size=\"96\"/>\n"
      "<total type=\"rest\" count=\"3\" size=\"5000\"/>\n"
      "<system type=\"current\" size=\"135168\"/>\n<system type=\"max\" size=\"200000\"/>\n"
      "</heap>\n<heap nr=\"1\">\n<total type=\"rest\" count=\"0\" size=\"7\"/>\n"
      "<system type=\"current\" size=\"4096\"/>\n</heap>\n"
      "<total type=\"fast\" count=\"9\" size=\"999\"/>\n</malloc>\n";
  MallocArena arenas[4];
  ASSERT_EQ(ParseMallocInfo(xml, arenas, 4), 2u);
  EXPECT_EQ(arenas[0].free_bytes, 5096u);
  EXPECT_EQ(arenas[0].system_bytes, 135168u);
  EXPECT_EQ(arenas[1].free_bytes, 7u);
  EXPECT_EQ(arenas[1].system_bytes, 4096u);
  EXPECT_EQ(ParseMallocInfo(xml, arenas, 1), 1u);
  EXPECT_EQ(ParseMallocInfo("<malloc><heap nr=\"0\">", arenas, 4), 0u);
  EXPECT_EQ(ParseMallocInfo("", arenas, 4), 0u);
}

TEST(ReadMallocArenas, SeesAnotherThreadsArenaAndWhatItFreed) {
  std::thread([] {
    std::vector<void*> blocks;
    for (int i = 0; i < 4000; ++i) blocks.push_back(std::malloc(500));
    // Every second one, so that nothing can be given back whole.
    for (size_t i = 0; i < blocks.size(); i += 2) std::free(blocks[i]);
  }).join();
  MallocArena arenas[16];
  const size_t count = ReadMallocArenas(arenas, 16);
  ASSERT_GE(count, 2u);
  uint64_t elsewhere = 0;
  for (size_t i = 1; i < count; ++i) elsewhere += arenas[i].free_bytes;
  EXPECT_GT(elsewhere, 500'000u);
}

}  // namespace
}  // namespace plimsoll
