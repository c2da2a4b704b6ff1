#ifndef ALLOCATORS_MMAP_LOADER_MAPPING_H_
#define ALLOCATORS_MMAP_LOADER_MAPPING_H_

// Address space that stands for a whole file: byte N of the file is byte N of the range,
// whether the kernel pages it in or a reader fills it. Operations on disjoint ranges may
// run on several threads at once; Unmap and moving may not run beside anything.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "allocators/mmap_loader/file.h"
#include "allocators/mmap_loader/os.h"
#include "base/error.h"

namespace plimsoll::weights {

enum class MappingKind : uint8_t {
  kShared,     // the file's pages, read-only
  kPrivate,    // the file's pages; a write copies the page
  kAnonymous,  // memory of our own, to read the file into
};

// What the kernel backs with one page where it is asked to and can.
inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

class Mapping {
 public:
  // Maps all of `file`, and checks afterwards that it is still as long as it was when
  // opened. kAnonymous reserves address space only, aligned to kHugePageBytes.
  static Expected<Mapping> Map(std::shared_ptr<const File> file, MappingKind kind);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  MappingKind kind() const { return kind_; }
  const File& file() const { return *file_; }
  // Of the file's bytes; page-rounded, it is what is mapped. 0 once unmapped.
  uint64_t bytes() const { return bytes_; }
  uint64_t mapped_bytes() const { return bytes_ == 0 ? 0 : PageCeil(bytes_); }
  // For the owner of the range; null once unmapped.
  std::byte* data() const { return data_; }

  // The ranges below are in bytes of the file. Outside it, or once unmapped: an error.
  Expected<std::span<const std::byte>> Bytes(uint64_t offset, uint64_t bytes) const;
  // An error, too, for a shared mapping, which is read-only.
  Expected<std::span<std::byte>> MutableBytes(uint64_t offset, uint64_t bytes) const;
  // madvise of the pages that the range touches. `name` is for the error.
  Status Advise(uint64_t offset, uint64_t bytes, int advice, const char* name) const;
  // An error tells what was asked for and the limit of RLIMIT_MEMLOCK.
  Status Lock(uint64_t offset, uint64_t bytes) const;
  Status Unlock(uint64_t offset, uint64_t bytes) const;
  // Gives the pages that the range touches back to the system: a file's are read again
  // when next used, those of kAnonymous become zeros, what was written in kPrivate is lost.
  Status Discard(uint64_t offset, uint64_t bytes) const;

  // A second call is an error.
  Status Unmap();

 private:
  Mapping(std::shared_ptr<const File> file, MappingKind kind, std::byte* data)
      : file_(std::move(file)), kind_(kind), data_(data), bytes_(file_->size()) {}
  Status CheckRange(const char* action, uint64_t offset, uint64_t bytes) const;

  std::shared_ptr<const File> file_;
  MappingKind kind_;
  std::byte* data_;
  uint64_t bytes_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_MAPPING_H_
