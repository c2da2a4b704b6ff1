#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>

namespace plimsoll {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  // 0, or the error: some file systems tell of a full disk only now.
  int Close() {
    const int fd = fd_;
    fd_ = -1;
    return fd >= 0 && close(fd) != 0 ? errno : 0;
  }

 private:
  int fd_;
};

// 0, or the error.
int WriteAll(int fd, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

Status WriteInPlace(const std::string& path, std::string_view contents) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(path, "open", errno);
  if (const int error = WriteAll(file.get(), contents)) return SystemError(path, "write", error);
  if (const int error = file.Close()) return SystemError(path, "write", error);
  return {};
}

// A name beside `target` that no other writer, in this process or another, uses.
std::string TemporaryName(const std::string& target) {
  static std::atomic<unsigned> writers = 0;
  return target + "." + std::to_string(getpid()) + "." + std::to_string(writers++) + ".tmp";
}

}  // namespace

Expected<std::string> ReadFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(path, "open", errno);
  std::string contents;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t size = read(file.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return SystemError(path, "read", errno);
    if (size == 0) return contents;
    contents.append(buffer, static_cast<size_t>(size));
  }
}

Status WriteFile(const std::string& path, std::string_view contents) {
  struct stat old;
  const bool exists = stat(path.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) return SystemError(path, "write", EISDIR);
  if (exists && !S_ISREG(old.st_mode)) return WriteInPlace(path, contents);

  char resolved[PATH_MAX];
  const std::string target = exists && realpath(path.c_str(), resolved) ? resolved : path;
  const std::string temporary = TemporaryName(target);
  Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) return SystemError(path, "create a temporary file beside it", errno);
  int error = WriteAll(file.get(), contents);
  if (error == 0 && exists && fchmod(file.get(), old.st_mode & 07777) != 0) error = errno;
  if (error == 0 && fsync(file.get()) != 0) error = errno;
  if (const int close_error = file.Close(); error == 0) error = close_error;
  if (error == 0 && rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error == 0) return {};
  unlink(temporary.c_str());
  return SystemError(path, "write", error);
}

}  // namespace plimsoll
