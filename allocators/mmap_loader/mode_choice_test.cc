#include "allocators/mmap_loader/mode_choice.h"

#include <gtest/gtest.h>

#include "base/units.h"

namespace plimsoll::weights {
namespace {

constexpr uint64_t kExt4 = 0xef53;
constexpr uint64_t kNfs = 0x6969;

TEST(ChooseMode, LocalFilesAreMapped) {
  const ModeChoice choice = ChooseMode(1_GiB, kExt4, 8_GiB);
  EXPECT_EQ(choice.mode, Mode::kMmap);
  EXPECT_EQ(choice.reason,
            "mmap: the file system (ext) is local, so pages come when used and stay reclaimable "
            "(1.00 GiB, 8.00 GiB of free memory)");
  EXPECT_EQ(ChooseMode(100_GiB, kExt4, 8_GiB).mode, Mode::kMmap);
}

TEST(ChooseMode, NetworkFilesAreReadWhereTheyFit) {
  const ModeChoice choice = ChooseMode(6_GiB, kNfs, 8_GiB);
  EXPECT_EQ(choice.mode, Mode::kRead);
  EXPECT_NE(choice.reason.find("(nfs) is a network's"), std::string::npos) << choice.reason;
  const ModeChoice large = ChooseMode(7_GiB, kNfs, 8_GiB);
  EXPECT_EQ(large.mode, Mode::kMmap);
  EXPECT_NE(large.reason.find("7.00 GiB do not fit into four fifths of 8.00 GiB"),
            std::string::npos)
      << large.reason;
  EXPECT_EQ(ChooseMode(7_GiB, kNfs, std::nullopt).mode, Mode::kRead);
}

TEST(ChooseMode, UnknownFileSystemsAreNamedByNumber) {
  const ModeChoice choice = ChooseMode(1, 0xabc123, 8_GiB);
  EXPECT_EQ(choice.mode, Mode::kMmap);
  EXPECT_NE(choice.reason.find("0xabc123"), std::string::npos);
}

TEST(AvailableMemory, IsTheLessOfMachineAndCgroup) {
  constexpr char kMeminfo[] = "MemTotal: 100 kB\nMemAvailable:       50 kB\nBuffers: 7 kB\n";
  EXPECT_EQ(AvailableMemoryIn(kMeminfo, "max\n", "1000\n"), 50u << 10);
  EXPECT_EQ(AvailableMemoryIn(kMeminfo, "30000\n", "10000\n"), 20000u);
  EXPECT_EQ(AvailableMemoryIn(kMeminfo, "9223372036854771712", "10000"), 50u << 10);
  EXPECT_EQ(AvailableMemoryIn(kMeminfo, "10", "20"), 0u);
  EXPECT_EQ(AvailableMemoryIn("", "30000", "10000"), 20000u);
  EXPECT_EQ(AvailableMemoryIn("", "", ""), std::nullopt);
  EXPECT_GT(AvailableMemory().value_or(0), 1_MiB);
}

}  // namespace
}  // namespace plimsoll::weights
