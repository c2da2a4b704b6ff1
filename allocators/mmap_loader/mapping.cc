#include "allocators/mmap_loader/mapping.h"

#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace plimsoll::weights {
namespace {

constexpr char kUnmapFails[] = "munmap of a whole mapping of ours fails only if it is not ours";

// The pages that a range of bytes touches.
struct Pages {
  uint64_t begin;
  uint64_t bytes;
};

Pages PagesOf(uint64_t offset, uint64_t bytes) {
  const uint64_t begin = PageFloor(offset);
  return {begin, PageCeil(offset + bytes) - begin};
}

// Address space aligned so that whole huge pages fit.
void* ReserveAligned(Os& os, size_t bytes, int flags) {
  const size_t padded = bytes + kHugePageBytes;
  void* base = os.Mmap(nullptr, padded, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (base == MAP_FAILED) return base;
  const auto start = reinterpret_cast<uintptr_t>(base);
  const uintptr_t aligned = (start + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  const size_t head = aligned - start;
  if (head > 0) os.Munmap(base, head);
  if (padded > head + bytes) {
    os.Munmap(reinterpret_cast<void*>(aligned + bytes), padded - head - bytes);
  }
  return reinterpret_cast<void*>(aligned);
}

std::string LockLimit() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "unknown";
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur) + " bytes";
}

}  // namespace

Expected<Mapping> Mapping::Map(std::shared_ptr<const File> file, MappingKind kind) {
  Os& os = file->os();
  const size_t bytes = PageCeil(file->size());
  void* base = nullptr;
  if (kind == MappingKind::kAnonymous) {
    // NORESERVE: only what is read in counts against the overcommit limit.
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    base = ReserveAligned(os, bytes, kFlags);
  } else {
    const bool shared = kind == MappingKind::kShared;
    base = os.Mmap(nullptr, file->size(), shared ? PROT_READ : PROT_READ | PROT_WRITE,
                   shared ? MAP_SHARED : MAP_PRIVATE, file->descriptor(), 0);
  }
  if (base == MAP_FAILED) {
    return SystemError(file->path(), "map " + std::to_string(file->size()) + " bytes", errno);
  }
  Mapping mapping(std::move(file), kind, static_cast<std::byte*>(base));
  if (const Status unchanged = mapping.file_->CheckUnchanged(); !unchanged) {
    return tl::unexpected(unchanged.error());
  }
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : file_(std::move(other.file_)),
      kind_(other.kind_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) PLIMSOLL_CHECK(Unmap(), kUnmapFails);
    file_ = std::move(other.file_);
    kind_ = other.kind_;
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) PLIMSOLL_CHECK(Unmap(), kUnmapFails);
}

Status Mapping::Unmap() {
  if (data_ == nullptr) {
    return BadValue(file_ ? file_->path() : "", "unmap", "unmapped", "expected a live mapping");
  }
  if (file_->os().Munmap(data_, mapped_bytes()) != 0) {
    return SystemError(file_->path(), "unmap", errno);
  }
  data_ = nullptr;
  bytes_ = 0;
  return {};
}

Status Mapping::CheckRange(const char* action, uint64_t offset, uint64_t bytes) const {
  if (data_ == nullptr) {
    return BadValue(file_ ? file_->path() : "", action, "unmapped", "expected a live mapping");
  }
  if (offset > bytes_ || bytes > bytes_ - offset) {
    return BadValue(file_->path(), action,
                    std::to_string(bytes) + " bytes at offset " + std::to_string(offset),
                    "expected to lie within the " + std::to_string(bytes_) + " bytes mapped");
  }
  return {};
}

Expected<std::span<const std::byte>> Mapping::Bytes(uint64_t offset, uint64_t bytes) const {
  if (const Status ok = CheckRange("access", offset, bytes); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::span<const std::byte>(data_ + offset, bytes);
}

Expected<std::span<std::byte>> Mapping::MutableBytes(uint64_t offset, uint64_t bytes) const {
  if (const Status ok = CheckRange("write", offset, bytes); !ok) return tl::unexpected(ok.error());
  if (kind_ == MappingKind::kShared) {
    return BadValue(file_->path(), "write",
                    std::to_string(bytes) + " bytes at offset " + std::to_string(offset),
                    "the mapping is shared and read-only: use mode private to write copies");
  }
  return std::span<std::byte>(data_ + offset, bytes);
}

Status Mapping::Advise(uint64_t offset, uint64_t bytes, int advice, const char* name) const {
  if (const Status ok = CheckRange(name, offset, bytes); !ok || bytes == 0) return ok;
  const Pages pages = PagesOf(offset, bytes);
  if (file_->os().Madvise(data_ + pages.begin, pages.bytes, advice) != 0) {
    return SystemError(file_->path(), name, errno);
  }
  return {};
}

Status Mapping::Lock(uint64_t offset, uint64_t bytes) const {
  if (const Status ok = CheckRange("mlock", offset, bytes); !ok || bytes == 0) return ok;
  const Pages pages = PagesOf(offset, bytes);
  if (file_->os().Mlock(data_ + pages.begin, pages.bytes) != 0) {
    const int error = errno;
    return BadValue(file_->path(), "mlock", std::to_string(pages.bytes) + " bytes",
                    std::generic_category().message(error) + "; the limit RLIMIT_MEMLOCK is " +
                        LockLimit() + " for the process (ulimit -l)");
  }
  return {};
}

Status Mapping::Unlock(uint64_t offset, uint64_t bytes) const {
  if (const Status ok = CheckRange("munlock", offset, bytes); !ok || bytes == 0) return ok;
  const Pages pages = PagesOf(offset, bytes);
  if (file_->os().Munlock(data_ + pages.begin, pages.bytes) != 0) {
    return SystemError(file_->path(), "munlock", errno);
  }
  return {};
}

Status Mapping::Discard(uint64_t offset, uint64_t bytes) const {
  return Advise(offset, bytes, MADV_DONTNEED, "return pages");
}

}  // namespace plimsoll::weights
