#include "harness/report/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/file.h"

namespace plimsoll {

bool IsTerminal(int descriptor) { return isatty(descriptor) == 1; }

bool WantsColor(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool refused = no_color != nullptr && *no_color != '\0';
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return IsTerminal(descriptor) && !refused && !dumb;
}

int TerminalWidth(int descriptor) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 120;
  return std::clamp<int>(size.ws_col, 100, 140);
}

Status WriteOutput(const std::string& path, std::string_view text) {
  if (path != "-") return WriteFile(path, text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return SystemError("standard output", "write", errno);
  }
  return {};
}

}  // namespace plimsoll
