#ifndef ALLOCATORS_WORKSPACE_BACKING_H_
#define ALLOCATORS_WORKSPACE_BACKING_H_

// The one stretch of memory that a workspace hands out: RAM with an optional twin on a
// device, or a mapped file. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "allocators/workspace/configuration.h"
#include "allocators/workspace/mapped_file.h"
#include "allocators/workspace/memory_pair.h"
#include "base/error.h"

namespace plimsoll {

class Backing {
 public:
  // What the start of every stretch is aligned to, at least.
  static constexpr uint64_t kBaseAlignment = 64;

  // Starts empty. `source` is borrowed.
  Backing(const WorkspaceConfiguration& configuration, const MemoryPairSource& source);
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;
  ~Backing() { Release(); }

  std::byte* host() const { return file_ ? file_->data() : pair_.host; }
  std::byte* device() const { return pair_.device; }
  uint64_t size() const { return file_ ? file_->size() : pair_.bytes; }
  uint64_t alignment() const { return alignment_; }

  // Makes the stretch `bytes` long; 0 only for a named file, which brings its length.
  // RAM loses its contents and may not get the new size, in which case it has its old
  // size, or failing that none; a file keeps its contents and its size on error. All
  // of it is poisoned for ASan afterwards.
  Status Resize(uint64_t bytes);

  // Gives the memory back; a named file stays on disk.
  void Release() noexcept;

 private:
  Status Map(uint64_t bytes);

  const LocationPolicy location_;
  const std::string mmap_path_;
  const std::string temporary_directory_;
  const uint64_t max_size_;
  const uint64_t alignment_;
  const MemoryPairSource& source_;
  MemoryPair pair_;
  std::optional<MappedFile> file_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_BACKING_H_
