#include "stress_tests/arena/resident.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace plimsoll {
namespace {

// "VmRSS:     123 kB" in bytes; 0 if the line is not there.
uint64_t Line(const char* status, const char* name) {
  const char* const line = std::strstr(status, name);
  return line == nullptr ? 0 : std::strtoull(line + std::strlen(name), nullptr, 10) * 1024;
}

}  // namespace

// Without allocating: what is measured is the program's memory.
std::optional<Resident> ReadResident() {
  char text[4096];
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const ssize_t length = ::read(file, text, sizeof(text) - 1);
  ::close(file);
  if (length <= 0) return std::nullopt;
  text[length] = '\0';
  const Resident resident = {Line(text, "VmRSS:"), Line(text, "VmHWM:"), Line(text, "RssFile:")};
  if (resident.now == 0 || resident.most == 0) return std::nullopt;
  return resident;
}

uint64_t MostBeyond(const Resident& before, const Resident& after) {
  const uint64_t code = after.file > before.file ? after.file - before.file : 0;
  const uint64_t ours = before.now + code;
  return after.most > ours ? after.most - ours : 0;
}

bool ResetMostResident() {
  const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = ::write(file, "5", 1) == 1;
  return ::close(file) == 0 && written;
}

int64_t MinorFaults() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

}  // namespace plimsoll
