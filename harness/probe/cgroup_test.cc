#include "harness/probe/cgroup.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

std::string FolderOf(const std::vector<std::string>& cgroup, const std::vector<std::string>& mounts,
                     CgroupFinder::Version version) {
  CgroupFinder finder;
  for (const std::string& line : cgroup) finder.EnterCgroupLine(line);
  for (const std::string& line : mounts) finder.EnterMountLine(line);
  EXPECT_EQ(finder.version(), version);
  return std::string(finder.folder());
}

constexpr char kV2Mount[] =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:7 - cgroup2 cgroup2 rw,nsdelegate";

TEST(CgroupFinder, Version2) {
  EXPECT_EQ(FolderOf({"0::/user.slice/session-3.scope"}, {kV2Mount}, CgroupFinder::Version::kV2),
            "/sys/fs/cgroup/user.slice/session-3.scope");
  EXPECT_EQ(FolderOf({"0::/"}, {kV2Mount}, CgroupFinder::Version::kV2), "/sys/fs/cgroup");
}

TEST(CgroupFinder, HybridPrefersTheVersionThatHasTheController) {
  EXPECT_EQ(FolderOf({"9:name=systemd:/x", "5:hugetlb,memory:/api/1", "0::/api/2"},
                     {"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
                      "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
                      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,hugetlb,memory"},
                     CgroupFinder::Version::kV1),
            "/sys/fs/cgroup/memory/api/1");
}

TEST(CgroupFinder, ContainerWithItsOwnGroupMounted) {
  // Docker on version 1, no cgroup namespace: the mount's root is the group.
  EXPECT_EQ(FolderOf({"8:memory:/docker/abc/inner"},
                     {"35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"},
                     CgroupFinder::Version::kV1),
            "/sys/fs/cgroup/memory/inner");
  // A prefix that is not a whole path component is another group.
  EXPECT_EQ(FolderOf({"8:memory:/docker/abcdef"},
                     {"35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"},
                     CgroupFinder::Version::kV1),
            "/sys/fs/cgroup/memory");
  // Moved out of what the namespace shows.
  EXPECT_EQ(FolderOf({"0::/../other"}, {kV2Mount}, CgroupFinder::Version::kV2), "/sys/fs/cgroup");
}

TEST(CgroupFinder, EscapedMountPoint) {
  EXPECT_EQ(FolderOf({"0::/a"}, {"30 23 0:26 / /mnt/c\\040g rw - cgroup2 none rw"},
                     CgroupFinder::Version::kV2),
            "/mnt/c g/a");
}

TEST(CgroupFinder, NothingMountedOrNamed) {
  EXPECT_EQ(
      FolderOf({"0::/a"}, {"23 1 8:1 / / rw - ext4 /dev/sda1 rw"}, CgroupFinder::Version::kNone),
      "");
  EXPECT_EQ(FolderOf({}, {kV2Mount}, CgroupFinder::Version::kNone), "");
  EXPECT_EQ(FolderOf({"0::/" + std::string(2000, 'a')}, {kV2Mount}, CgroupFinder::Version::kNone),
            "");
}

// The number in a file of this process's group, or nothing.
Count ReadByHand(const std::string& name_v1, const std::string& name_v2) {
  CgroupFinder finder;
  std::string line;
  for (std::ifstream lines("/proc/self/cgroup"); std::getline(lines, line);) {
    finder.EnterCgroupLine(line);
  }
  for (std::ifstream lines("/proc/self/mountinfo"); std::getline(lines, line);) {
    finder.EnterMountLine(line);
  }
  const bool v1 = finder.version() == CgroupFinder::Version::kV1;
  std::ifstream file(std::string(finder.folder()) + (v1 ? name_v1 : name_v2));
  uint64_t number = 0;
  return file >> number ? Count(number) : std::nullopt;
}

TEST(CgroupMemory, ReadsThisProcessesGroupWhereThereIsOne) {
  HeldFile self;
  ASSERT_TRUE(self.Open(AT_FDCWD, "/proc/self", O_RDONLY | O_DIRECTORY));
  CgroupMemory memory;
  memory.Open(self.fd());
  const std::string touched(64 << 20, 'x');
  const Count peak_before = ReadByHand("/memory.max_usage_in_bytes", "/memory.peak");
  ProcessCounters counters;
  memory.Sample(counters);
  const Count peak_after = ReadByHand("/memory.max_usage_in_bytes", "/memory.peak");

  EXPECT_EQ(counters.cgroup_peak_bytes.has_value(), peak_before.has_value());
  EXPECT_GE(counters.cgroup_peak_bytes, peak_before);
  EXPECT_LE(counters.cgroup_peak_bytes, peak_after);
  const Count current = ReadByHand("/memory.usage_in_bytes", "/memory.current");
  EXPECT_EQ(counters.cgroup_current_bytes.has_value(), current.has_value());
  // Others live in this group as well: only a lower bound is certain.
  if (current) {
    EXPECT_GE(*counters.cgroup_current_bytes, touched.size());
  }
  EXPECT_EQ(memory.held(), current.has_value() + peak_before.has_value());
  memory.Close();
  EXPECT_EQ(memory.held(), 0);
}

}  // namespace
}  // namespace plimsoll
