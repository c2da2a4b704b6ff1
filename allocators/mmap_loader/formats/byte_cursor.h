#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_BYTE_CURSOR_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_BYTE_CURSOR_H_

// Reads a source from front to back, in little-endian pieces, and knows what is left. One
// thread at a time.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/field_name.h"
#include "base/error.h"

namespace plimsoll::weights {

static_assert(std::endian::native == std::endian::little,
              "weight files are little-endian, and tensors are used in place");

class ByteCursor {
 public:
  explicit ByteCursor(const ByteSource& source) : source_(source) {}

  const ByteSource& source() const { return source_; }
  uint64_t position() const { return position_; }
  uint64_t remaining() const { return source_.size() - position_; }

  // `field` is what is read, for the error when the source ends before.
  template <typename Number>
  Expected<Number> Read(FieldName field) {
    Number number;
    const Status read = Fill(&number, sizeof(number), field);
    if (!read) return tl::unexpected(read.error());
    return number;
  }
  // A string of a 64-bit length and so many bytes, at most `longest`.
  Expected<std::string> ReadString(FieldName field, uint64_t longest);
  // The first bytes of such a string, however long it is, and then past it.
  Expected<std::string> ReadStringStart(FieldName field, uint64_t longest);
  // Passes over such a string.
  Status SkipString(FieldName field);
  Status Skip(uint64_t bytes, FieldName field);

 private:
  Status Fill(void* to, size_t bytes, FieldName field);
  Status CheckRemaining(uint64_t bytes, FieldName field) const;

  const ByteSource& source_;
  uint64_t position_ = 0;
  std::vector<std::byte> window_;  // bytes of the source from window_begin_
  uint64_t window_begin_ = 0;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_BYTE_CURSOR_H_
