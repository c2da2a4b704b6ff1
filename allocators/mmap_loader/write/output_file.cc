#include "allocators/mmap_loader/write/output_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace plimsoll::weights {
namespace {

constexpr mode_t kMode = 0644;

// The file that a symbolic link names in the end.
std::string Target(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target.string();
}

}  // namespace

Expected<std::unique_ptr<OutputFile>> OutputFile::Create(Os& os, const std::string& path) {
  static std::atomic<unsigned> count = 0;
  const std::string target = Target(path);
  const std::string temporary =
      target + "." + std::to_string(::getpid()) + "." + std::to_string(count++) + ".tmp";
  const int descriptor = os.Open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (descriptor < 0) return SystemError(temporary, "create", errno);
  return std::unique_ptr<OutputFile>(new OutputFile(os, target, temporary, descriptor));
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) os_.Close(descriptor_);
  if (!renamed_) os_.Unlink(temporary_.c_str());
}

Status OutputFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = os_.Pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(offset + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      return SystemError(path_,
                         "write " + std::to_string(bytes.size() - done) + " bytes at offset " +
                             std::to_string(offset + done),
                         errno);
    }
    done += static_cast<size_t>(wrote);
  }
  return {};
}

Status OutputFile::Append(std::span<const std::byte> bytes) {
  const Status written = WriteAt(size_, bytes);
  if (written) size_ += bytes.size();
  return written;
}

Status OutputFile::Pad(uint64_t alignment) {
  const std::string zeros((alignment - size_ % alignment) % alignment, '\0');
  return Append(zeros);
}

Status OutputFile::Overwrite(uint64_t offset, std::string_view text) {
  PLIMSOLL_CHECK(offset + text.size() <= size_, "only what was appended can be overwritten");
  return WriteAt(offset, std::as_bytes(std::span(text.data(), text.size())));
}

Status OutputFile::SyncFolder() const {
  std::string folder = std::filesystem::path(path_).parent_path().string();
  if (folder.empty()) folder = ".";
  const int descriptor = os_.Open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (descriptor < 0) return SystemError(folder, "open", errno);
  Status synced;
  if (os_.Fsync(descriptor) != 0) synced = SystemError(folder, "sync", errno);
  os_.Close(descriptor);
  return synced;
}

Status OutputFile::Commit() {
  if (os_.Fsync(descriptor_) != 0) return SystemError(path_, "sync", errno);
  // Some file systems tell of a full disk only here.
  if (os_.Close(std::exchange(descriptor_, -1)) != 0) return SystemError(path_, "close", errno);
  if (os_.Rename(temporary_.c_str(), path_.c_str()) != 0) {
    return SystemError(path_, "replace", errno);
  }
  renamed_ = true;
  return SyncFolder();
}

}  // namespace plimsoll::weights
