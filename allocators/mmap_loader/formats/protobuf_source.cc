#include "allocators/mmap_loader/formats/protobuf_source.h"

#include <algorithm>

namespace plimsoll::weights {
namespace {

constexpr uint64_t kWindow = uint64_t{16} << 10;

}  // namespace

bool ProtobufSource::Next(const void** data, int* size) {
  window_.resize(std::min(kWindow, source_.size() - position_));
  if (window_.empty()) return false;
  if (Status read = source_.ReadAt(position_, window_); !read) {
    status_ = std::move(read);
    return false;
  }
  position_ += window_.size();
  *data = window_.data();
  *size = static_cast<int>(window_.size());
  return true;
}

bool ProtobufSource::Skip(int count) {
  const uint64_t left = source_.size() - position_;
  position_ += std::min(static_cast<uint64_t>(count), left);
  return static_cast<uint64_t>(count) <= left;
}

}  // namespace plimsoll::weights
