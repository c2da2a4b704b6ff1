#include "harness/probe/cgroup.h"

#include <fcntl.h>

namespace plimsoll {
namespace {

// Cuts the text up to `separator` off the front, and the separator with it.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view taken(text.data(), end == std::string_view::npos ? text.size() : end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

bool HasWord(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (TakeUntil(list, ',') == word) return true;
  }
  return false;
}

Count ReadNumber(const HeldFile& file) {
  if (!file.Intact()) return std::nullopt;
  char text[32];
  const ssize_t size = file.Read(text, sizeof(text));
  if (size <= 0) return std::nullopt;
  std::string_view number(text, static_cast<size_t>(size));
  return TakeNumber(number);
}

}  // namespace

bool CgroupFinder::Path::Append(std::string_view part) {
  if (part.size() > sizeof(text) - size) return false;
  for (const char c : part) text[size++] = c;
  return true;
}

bool CgroupFinder::Path::AppendUnescaped(std::string_view part) {
  for (size_t i = 0; i < part.size(); ++i) {
    char c = part[i];
    if (c == '\\' && i + 3 < part.size()) {
      c = static_cast<char>((part[i + 1] - '0') * 64 + (part[i + 2] - '0') * 8 + part[i + 3] - '0');
      i += 3;
    }
    if (!Append({&c, 1})) return false;
  }
  return true;
}

void CgroupFinder::EnterCgroupLine(std::string_view line) {
  TakeUntil(line, ':');
  const std::string_view controllers = TakeUntil(line, ':');
  if (controllers.empty()) {
    group_v2_.found = group_v2_.Append(line);
  } else if (HasWord(controllers, "memory")) {
    group_v1_.found = group_v1_.Append(line);
  }
}

void CgroupFinder::EnterMountLine(std::string_view line) {
  // "35 31 0:32 ROOT MOUNT_POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER_OPTIONS"
  for (int field = 0; field < 3; ++field) TakeUntil(line, ' ');
  const std::string_view root_field = TakeUntil(line, ' ');
  const std::string_view mount_point = TakeUntil(line, ' ');
  const size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return;
  line.remove_prefix(dash + 3);
  const std::string_view type = TakeUntil(line, ' ');
  TakeUntil(line, ' ');
  const bool v1 = type == "cgroup" && HasWord(line, "memory");
  if (!v1 && type != "cgroup2") return;
  const Path& group = v1 ? group_v1_ : group_v2_;
  Path& folder = v1 ? folder_v1_ : folder_v2_;
  if (!group.found || folder.found) return;

  Path root;
  folder.size = 0;
  if (!root.AppendUnescaped(root_field) || !folder.AppendUnescaped(mount_point)) return;
  // A container sees its own group mounted: the root is then a prefix of the group's
  // path, or, without a namespace of its own, the path leads out of what is mounted.
  std::string_view below = group.view();
  const std::string_view mounted = root.view() == "/" ? std::string_view() : root.view();
  if (below.starts_with(mounted) &&
      (below.size() == mounted.size() || below[mounted.size()] == '/')) {
    below.remove_prefix(mounted.size());
  } else {
    below = {};
  }
  if (below.starts_with("/..") || below == "/") below = {};
  folder.found = folder.Append(below);
}

CgroupFinder::Version CgroupFinder::version() const {
  if (folder_v1_.found) return Version::kV1;
  return folder_v2_.found ? Version::kV2 : Version::kNone;
}

std::string_view CgroupFinder::folder() const {
  switch (version()) {
    case Version::kV1:
      return folder_v1_.view();
    case Version::kV2:
      return folder_v2_.view();
    case Version::kNone:
      break;
  }
  return {};
}

void CgroupMemory::Open(int process) {
  Close();
  CgroupFinder finder;
  HeldFile list;
  if (!list.Open(process, "cgroup", O_RDONLY)) return;
  list.ForEachLine([&](std::string_view line) { finder.EnterCgroupLine(line); });
  if (!list.Open(process, "mountinfo", O_RDONLY)) return;
  list.ForEachLine([&](std::string_view line) { finder.EnterMountLine(line); });

  const std::string_view folder = finder.folder();
  char path[1024 + sizeof("/memory.max_usage_in_bytes")];
  const auto open = [&](HeldFile& file, std::string_view name) {
    size_t size = 0;
    for (const char c : folder) path[size++] = c;
    for (const char c : name) path[size++] = c;
    path[size] = '\0';
    file.Open(AT_FDCWD, path, O_RDONLY);
  };
  switch (finder.version()) {
    case CgroupFinder::Version::kV1:
      open(current_, "/memory.usage_in_bytes");
      open(peak_, "/memory.max_usage_in_bytes");
      break;
    case CgroupFinder::Version::kV2:
      open(current_, "/memory.current");
      open(peak_, "/memory.peak");
      break;
    case CgroupFinder::Version::kNone:
      break;
  }
}

void CgroupMemory::Close() {
  current_.Close();
  peak_.Close();
}

void CgroupMemory::Sample(ProcessCounters& counters) const {
  counters.cgroup_current_bytes = ReadNumber(current_);
  counters.cgroup_peak_bytes = ReadNumber(peak_);
}

}  // namespace plimsoll
