#include "allocators/mmap_loader/page_cache/numa_nodes.h"

#include <gtest/gtest.h>

#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

TEST(NodesIn, ReadsTheKernelsLists) {
  EXPECT_EQ(NodesIn("0\n"), 1u);
  EXPECT_EQ(NodesIn("0-1\n"), 3u);
  EXPECT_EQ(NodesIn("0,2-3\n"), 0b1101u);
  EXPECT_EQ(NodesIn("62-70"), uint64_t{3} << 62);
  EXPECT_EQ(NodesIn(""), 0u);
  EXPECT_EQ(NodesIn("x"), 0u);
  EXPECT_EQ(NodesIn("1-x"), 0u);
  EXPECT_EQ(NodesIn("5,"), uint64_t{1} << 5);
}

TEST(InterleavePages, FilesAreThePageCaches) {
  TestFolder folder;
  const auto file = *File::Open(Os::Real(), folder.Write("w", "1234"));
  const Mapping mapping = *Mapping::Map(file, MappingKind::kShared);
  ExpectLineWith(InterleavePages(mapping), {"/w: numa interleave", "use mode read"});
}

}  // namespace
}  // namespace plimsoll::weights
