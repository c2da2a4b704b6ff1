#include "base/caller_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace plimsoll {

std::string CallerFolder() {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  return folder == nullptr ? "." : folder;
}

Status EnterCallerFolder() {
  const std::string folder = CallerFolder();
  if (chdir(folder.c_str()) != 0) return SystemError(folder, "enter the folder", errno);
  return {};
}

}  // namespace plimsoll
