#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_PROTOBUF_SOURCE_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_PROTOBUF_SOURCE_H_

// A ByteSource as protobuf's input stream, which passes over what is skipped without
// reading it. One thread at a time.

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>
#include <vector>

#include "allocators/mmap_loader/byte_source.h"
#include "base/error.h"

namespace plimsoll::weights {

class ProtobufSource : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit ProtobufSource(const ByteSource& source) : source_(source) {}

  bool Next(const void** data, int* size) override;
  void BackUp(int count) override { position_ -= static_cast<uint64_t>(count); }
  bool Skip(int count) override;
  int64_t ByteCount() const override { return static_cast<int64_t>(position_); }

  // Of the last read that failed; success when none did.
  const Status& status() const { return status_; }

 private:
  const ByteSource& source_;
  uint64_t position_ = 0;
  std::vector<std::byte> window_;
  Status status_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_PROTOBUF_SOURCE_H_
