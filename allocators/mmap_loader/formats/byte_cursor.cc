#include "allocators/mmap_loader/formats/byte_cursor.h"

namespace plimsoll::weights {
namespace {

constexpr uint64_t kWindow = uint64_t{64} << 10;

}  // namespace

Status ByteCursor::CheckRemaining(uint64_t bytes, FieldName field) const {
  if (bytes <= remaining()) return {};
  return BadValue(source_.path(), field.Text(), std::to_string(bytes) + " bytes",
                  "expected at most " + std::to_string(remaining()) +
                      ": the file ends that far behind offset " + std::to_string(position_));
}

Status ByteCursor::Fill(void* to, size_t bytes, FieldName field) {
  if (const Status enough = CheckRemaining(bytes, field); !enough) return enough;
  if (bytes == 0) return {};
  if (bytes > kWindow) {
    const Status read = source_.ReadAt(position_, {static_cast<std::byte*>(to), bytes});
    if (read) position_ += bytes;
    return read;
  }
  const bool inside =
      position_ >= window_begin_ && position_ + bytes <= window_begin_ + window_.size();
  if (!inside) {
    window_.resize(std::min(kWindow, remaining()));
    window_begin_ = position_;
    if (const Status read = source_.ReadAt(position_, window_); !read) {
      window_.clear();
      return read;
    }
  }
  std::memcpy(to, window_.data() + (position_ - window_begin_), bytes);
  position_ += bytes;
  return {};
}

Status ByteCursor::Skip(uint64_t bytes, FieldName field) {
  const Status enough = CheckRemaining(bytes, field);
  if (enough) position_ += bytes;
  return enough;
}

Expected<std::string> ByteCursor::ReadString(FieldName field, uint64_t longest) {
  const Expected<uint64_t> length = Read<uint64_t>(field);
  if (!length) return tl::unexpected(length.error());
  if (*length > longest || *length > remaining()) {
    return BadValue(source_.path(), field.Text() + ": length in bytes", std::to_string(*length),
                    "expected at most " + std::to_string(std::min(longest, remaining())));
  }
  std::string text(*length, '\0');
  if (const Status read = Fill(text.data(), text.size(), field); !read) {
    return tl::unexpected(read.error());
  }
  return text;
}

Expected<std::string> ByteCursor::ReadStringStart(FieldName field, uint64_t longest) {
  const Expected<uint64_t> length = Read<uint64_t>(field);
  if (!length) return tl::unexpected(length.error());
  if (const Status enough = CheckRemaining(*length, field); !enough) {
    return tl::unexpected(enough.error());
  }
  std::string text(std::min(*length, longest), '\0');
  Status read = Fill(text.data(), text.size(), field);
  if (read) read = Skip(*length - text.size(), field);
  if (!read) return tl::unexpected(read.error());
  return text;
}

Status ByteCursor::SkipString(FieldName field) {
  const Expected<uint64_t> length = Read<uint64_t>(field);
  if (!length) return tl::unexpected(length.error());
  return Skip(*length, field);
}

}  // namespace plimsoll::weights
