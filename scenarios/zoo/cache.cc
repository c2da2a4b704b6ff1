#include "scenarios/zoo/cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

namespace plimsoll {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A folder that exists, belongs to this user and can be written; created if need be.
Status MakeUsable(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return SystemError(folder, "create the cache folder", error.value());
  struct stat status;
  if (stat(folder.c_str(), &status) != 0) return SystemError(folder, "stat", errno);
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return SystemError(folder, "write to the cache folder", errno);
  }
  return {};
}

// As MakeUsable, in a folder where anyone may create names: only this user may own it.
Status MakePrivate(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError(folder, "create the cache folder", errno);
  }
  struct stat status;
  if (lstat(folder.c_str(), &status) != 0) return SystemError(folder, "stat", errno);
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    return Fail(folder + ": not a folder of this user; set PLIMSOLL_CACHE to one");
  }
  return MakeUsable(folder);
}

}  // namespace

Expected<std::string> CacheFolder() {
  // A folder that was asked for is used or reported, never silently replaced.
  if (const std::string asked = Environment("PLIMSOLL_CACHE"); !asked.empty()) {
    if (Status usable = MakeUsable(asked); !usable) return tl::unexpected(usable.error());
    return asked;
  }
  std::vector<std::string> homes;
  if (const std::string xdg = Environment("XDG_CACHE_HOME"); !xdg.empty()) homes.push_back(xdg);
  if (const std::string home = Environment("HOME"); !home.empty()) {
    homes.push_back(home + "/.cache");
  }
  for (const std::string& home : homes) {
    const std::string folder = home + "/plimsoll";
    if (MakeUsable(folder)) return folder;
  }
  std::string temporary = Environment("TMPDIR");
  if (temporary.empty()) temporary = "/tmp";
  const std::string folder = temporary + "/plimsoll-" + std::to_string(geteuid());
  if (Status usable = MakePrivate(folder); !usable) return tl::unexpected(usable.error());
  return folder;
}

Status Publish(const std::string& folder, std::string_view name,
               const std::function<int(int descriptor)>& write) {
  const std::string path = folder + "/" + std::string(name);
  std::string temporary = path + ".XXXXXX";
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return SystemError(path, "create", errno);
  int problem = write(descriptor);
  // Without this a crash of the machine may leave a name with no contents.
  if (problem == 0 && fsync(descriptor) != 0) problem = errno;
  if (problem == 0 && fchmod(descriptor, 0644) != 0) problem = errno;
  if (close(descriptor) != 0 && problem == 0) problem = errno;
  if (problem == 0 && rename(temporary.c_str(), path.c_str()) != 0) problem = errno;
  if (problem != 0) {
    unlink(temporary.c_str());
    return SystemError(path, "write", problem);
  }
  return {};
}

}  // namespace plimsoll
