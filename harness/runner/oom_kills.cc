#include "harness/runner/oom_kills.h"

#include <fstream>
#include <string>

namespace plimsoll {
namespace {

Count ReadCount(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  uint64_t value = 0;
  while (file >> key >> value) {
    if (key == "oom_kill") return value;
  }
  return std::nullopt;
}

}  // namespace

Count OutOfMemoryKills() {
  std::ifstream membership("/proc/self/cgroup");
  std::string line;
  while (std::getline(membership, line)) {
    if (line.rfind("0::", 0) != 0) continue;
    if (const Count kills = ReadCount("/sys/fs/cgroup" + line.substr(3) + "/memory.events")) {
      return kills;
    }
  }
  return ReadCount("/proc/vmstat");
}

}  // namespace plimsoll
