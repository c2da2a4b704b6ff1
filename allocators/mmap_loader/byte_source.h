#ifndef ALLOCATORS_MMAP_LOADER_BYTE_SOURCE_H_
#define ALLOCATORS_MMAP_LOADER_BYTE_SOURCE_H_

// Where a parser gets its bytes: a file, or a buffer in memory (tests and fuzzing).
// A parser copies what it reads, so a file that changes meanwhile cannot change what
// was checked. Const members are thread-safe.

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocators/mmap_loader/field_name.h"
#include "base/error.h"

namespace plimsoll::weights {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // What errors call it: the file's path.
  virtual const std::string& path() const = 0;
  // In bytes, when it was opened.
  virtual uint64_t size() const = 0;
  // Fills `to` from `offset`. An error when the source ends before, or cannot be read.
  virtual Status ReadAt(uint64_t offset, std::span<std::byte> to) const = 0;
};

// Bytes that the caller owns and keeps alive.
class MemorySource : public ByteSource {
 public:
  MemorySource(std::string path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}

  const std::string& path() const override { return path_; }
  uint64_t size() const override { return bytes_.size(); }
  Status ReadAt(uint64_t offset, std::span<std::byte> to) const override;

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

// The other files that a format names, relative to the folder of the first.
class Siblings {
 public:
  virtual ~Siblings() = default;
  // `field` says where the name was read, for the error. A name that leaves the
  // folder (absolute, or with '..') is an error, as is a file that is not there.
  virtual Expected<std::shared_ptr<const ByteSource>> Open(const std::string& name,
                                                           FieldName field) = 0;
};

// Why `name` may not be opened beside `path`, or success: it must be relative, without
// '..' components, and without what would make an error about it more than one short line.
Status CheckSiblingName(std::string_view path, FieldName field, std::string_view name);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_BYTE_SOURCE_H_
