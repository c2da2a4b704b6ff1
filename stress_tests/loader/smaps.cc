#include "stress_tests/loader/smaps.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace plimsoll {
namespace {

// "Rss:        12 kB" in bytes.
uint64_t Kilobytes(const std::string& line) {
  return std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10) * 1024;
}

// A mapping's first line begins with its addresses, in lower-case hexadecimal.
bool BeginsMapping(const std::string& line) {
  const size_t end = line.find_first_not_of("0123456789abcdef");
  return end != std::string::npos && end > 0 && line[end] == '-';
}

}  // namespace

MappedMemory ReadSmaps(pid_t pid, std::string_view ending) {
  MappedMemory sum;
  std::ifstream smaps("/proc/" + std::to_string(pid) + "/smaps");
  bool counted = false;
  for (std::string line; std::getline(smaps, line);) {
    if (BeginsMapping(line)) {
      counted = line.ends_with(ending);
      sum.mappings += counted;
    } else if (counted && line.starts_with("Rss:")) {
      sum.rss += Kilobytes(line);
    } else if (counted && line.starts_with("Pss:")) {
      sum.pss += Kilobytes(line);
    } else if (counted && line.starts_with("Anonymous:")) {
      sum.anonymous += Kilobytes(line);
    }
  }
  return sum;
}

}  // namespace plimsoll
