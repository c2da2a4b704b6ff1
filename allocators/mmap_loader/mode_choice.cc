#include "allocators/mmap_loader/mode_choice.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "base/file.h"
#include "base/units.h"

namespace plimsoll::weights {
namespace {

struct FileSystem {
  uint64_t magic;
  const char* name;
  bool network;
};

// <linux/magic.h> and statfs(2). FUSE counts as network: what large weights are mounted
// through it (object stores, sshfs) is one.
constexpr std::array<FileSystem, 20> kFileSystems = {{
    {0x6969, "nfs", true},        {0xff534d42, "cifs", true},     {0xfe534d42, "smb2", true},
    {0x517b, "smb", true},        {0x00c36400, "ceph", true},     {0x01021997, "9p", true},
    {0x5346414f, "afs", true},    {0x6b414653, "kafs", true},     {0x73757245, "coda", true},
    {0x0bd00bd0, "lustre", true}, {0x47504653, "gpfs", true},     {0x65735546, "fuse", true},
    {0xef53, "ext", false},       {0x58465342, "xfs", false},     {0x9123683e, "btrfs", false},
    {0x01021994, "tmpfs", false}, {0x794c7630, "overlay", false}, {0x2fc12fc1, "zfs", false},
    {0xf2f52010, "f2fs", false},  {0x858458f6, "ramfs", false},
}};

std::optional<uint64_t> Number(std::string_view text) {
  const size_t start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) return std::nullopt;
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data() + start, text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return std::nullopt;
  return value;
}

std::string TextOf(const char* first, const char* second) {
  if (const Expected<std::string> text = ReadFile(first)) return *text;
  return ReadFile(second).value_or("");
}

}  // namespace

ModeChoice ChooseMode(uint64_t bytes, uint64_t file_system,
                      std::optional<uint64_t> available_bytes) {
  char unknown[40];
  std::snprintf(unknown, sizeof(unknown), "of unknown type 0x%llx",
                static_cast<unsigned long long>(file_system));
  std::string name = unknown;
  bool network = false;
  for (const FileSystem& known : kFileSystems) {
    if (known.magic != file_system) continue;
    name = known.name;
    network = known.network;
  }
  const std::string size = FormatBytes(static_cast<double>(bytes));
  const std::string free =
      available_bytes ? FormatBytes(static_cast<double>(*available_bytes)) + " of free memory"
                      : "memory of unknown size";
  if (!network) {
    return {Mode::kMmap, "mmap: the file system (" + name +
                             ") is local, so pages come when used and stay reclaimable (" + size +
                             ", " + free + ")"};
  }
  if (available_bytes && bytes > *available_bytes / 5 * 4) {
    return {Mode::kMmap, "mmap: " + size + " do not fit into four fifths of " + free +
                             ", although the file system (" + name + ") is a network's"};
  }
  return {Mode::kRead, "read: the file system (" + name +
                           ") is a network's, where mapped pages cost a round trip each, and " +
                           size + " fit into " + free};
}

ModeChoice ChooseModeFor(const File& file, uint64_t bytes) {
  struct statfs status = {};
  // Not known is not network: the type 0 is nobody's.
  if (file.os().Fstatfs(file.descriptor(), &status) != 0) status.f_type = 0;
  return ChooseMode(bytes, static_cast<uint32_t>(status.f_type), AvailableMemory());
}

std::optional<uint64_t> AvailableMemoryIn(std::string_view meminfo, std::string_view limit,
                                          std::string_view usage) {
  constexpr std::string_view kKey = "MemAvailable:";
  std::optional<uint64_t> available;
  if (const size_t at = meminfo.find(kKey); at != std::string_view::npos) {
    if (const auto kib = Number(meminfo.substr(at + kKey.size()))) available = *kib << 10;
  }
  // "max" is no number, and v1's "no limit" is larger than any machine.
  const std::optional<uint64_t> most = Number(limit);
  const std::optional<uint64_t> used = Number(usage);
  if (most && used) {
    const uint64_t left = *most - std::min(*most, *used);
    available = std::min(available.value_or(left), left);
  }
  return available;
}

std::optional<uint64_t> AvailableMemory() {
  return AvailableMemoryIn(
      ReadFile("/proc/meminfo").value_or(""),
      TextOf("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
      TextOf("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"));
}

}  // namespace plimsoll::weights
