#include "allocators/workspace/mapped_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace plimsoll {
namespace {

// Growing past RLIMIT_FSIZE raises SIGXFSZ, which ends the process by default; here it
// must be an error like any other. Held back for this thread, and taken off the queue
// if it came meanwhile.
class SizeSignalHeld {
 public:
  SizeSignalHeld() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
  }
  ~SizeSignalHeld() {
    if (!was_pending_) {
      const timespec now = {0, 0};
      while (sigtimedwait(&signal_, nullptr, &now) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SizeSignalHeld(const SizeSignalHeld&) = delete;
  SizeSignalHeld& operator=(const SizeSignalHeld&) = delete;

 private:
  sigset_t signal_;
  sigset_t before_;
  bool was_pending_;
};

int Reserve(const MappedFileCalls& calls, int descriptor, uint64_t bytes) {
  const SizeSignalHeld held;
  int error = EINTR;
  while (error == EINTR) error = calls.reserve(descriptor, 0, static_cast<off_t>(bytes));
  return error;
}

}  // namespace

const MappedFileCalls& MappedFileCalls::System() {
  static constexpr MappedFileCalls kSystem = {&::posix_fallocate, &::mmap};
  return kSystem;
}

Expected<MappedFile> MappedFile::OpenNamed(const std::string& path, uint64_t bytes,
                                           uint64_t max_bytes, const MappedFileCalls& calls) {
  bool created = false;
  int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0 && errno == ENOENT) {
    descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
    created = descriptor >= 0;
  }
  if (descriptor < 0) return SystemError(path, "open for a mapped workspace", errno);
  MappedFile file(path, descriptor, calls);
  const auto refused = [&](tl::unexpected<Error> error) {
    if (created) ::unlink(path.c_str());
    return error;
  };
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return refused(SystemError(path, "fstat", errno));
  if (!S_ISREG(status.st_mode)) {
    return refused(Fail(path + ": expected a regular file for a mapped workspace"));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return refused(Fail(path + ": in use by another workspace (its lock is taken)"));
  }
  uint64_t length = static_cast<uint64_t>(status.st_size);
  if (max_bytes > 0) length = std::min(length, max_bytes);
  const uint64_t mapped = std::max(bytes, length);
  if (mapped == 0) {
    return refused(BadValue(path, "initial_size", "0",
                            "expected above 0 for a file that is missing or empty"));
  }
  if (Status ready = file.ReserveAndMap(mapped); !ready) {
    return refused(tl::unexpected<Error>(ready.error()));
  }
  return file;
}

Expected<MappedFile> MappedFile::OpenTemporary(const std::string& directory, uint64_t bytes,
                                               const MappedFileCalls& calls) {
  std::string where = directory;
  if (where.empty()) {
    const char* named = std::getenv("TMPDIR");
    where = named != nullptr && *named != '\0' ? named : "/tmp";
  }
  int descriptor = ::open(where.c_str(), O_RDWR | O_CLOEXEC | O_TMPFILE, 0600);
  if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
    // A file system without nameless files: the name lives for two system calls.
    std::string name = where + "/plimsoll-workspace-XXXXXX";
    descriptor = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor >= 0) ::unlink(name.c_str());
  }
  if (descriptor < 0) return SystemError(where, "temporary file for a mapped workspace", errno);
  MappedFile file(where + "/(temporary file)", descriptor, calls);
  if (Status ready = file.ReserveAndMap(bytes); !ready) {
    return tl::unexpected<Error>(ready.error());
  }
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : label_(std::move(other.label_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      calls_(other.calls_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    Close();
    label_ = std::move(other.label_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    calls_ = other.calls_;
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

MappedFile::~MappedFile() { Close(); }

void MappedFile::Close() noexcept {
  if (data_ != nullptr) ::munmap(data_, size_);
  if (descriptor_ >= 0) ::close(descriptor_);
  data_ = nullptr;
  descriptor_ = -1;
}

Status MappedFile::Grow(uint64_t bytes) {
  if (bytes <= size_) return {};
  return ReserveAndMap(bytes);
}

Status MappedFile::ReserveAndMap(uint64_t bytes) {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) return SystemError(label_, "fstat", errno);
  const std::string reserving = "reserve " + std::to_string(bytes) + " bytes";
  const auto restore = [&] {
    // Only ever cuts off what this call added. Should that fail, the file is longer than
    // it was, which is the lesser evil, and the first error is the one to report.
    static_cast<void>(::ftruncate(descriptor_, status.st_size) == 0);
  };
  if (const int error = Reserve(*calls_, descriptor_, bytes); error != 0) {
    restore();
    return SystemError(label_, reserving, error);
  }
  void* mapped = calls_->map(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (mapped == MAP_FAILED) {
    const int error = errno;
    restore();
    return SystemError(label_, "map " + std::to_string(bytes) + " bytes", error);
  }
  if (data_ != nullptr) ::munmap(data_, size_);
  data_ = static_cast<std::byte*>(mapped);
  size_ = bytes;
  return {};
}

}  // namespace plimsoll
