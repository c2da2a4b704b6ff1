#ifndef ALLOCATORS_MMAP_LOADER_CHECKSUM_H_
#define ALLOCATORS_MMAP_LOADER_CHECKSUM_H_

// The checksum of a tensor's bytes: XXH3-64, fast enough to be limited by memory. It finds
// accidents, not attacks. Thread-safe but for ChecksumStream.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace plimsoll::weights {

uint64_t ChecksumOf(std::span<const std::byte> bytes);

// The same for bytes that come in pieces. One thread at a time.
class ChecksumStream {
 public:
  ChecksumStream();
  ~ChecksumStream();
  ChecksumStream(const ChecksumStream&) = delete;
  ChecksumStream& operator=(const ChecksumStream&) = delete;

  void Add(std::span<const std::byte> bytes);
  uint64_t Value() const;

 private:
  XXH3_state_s* const state_;
};

// 16 hexadecimal digits, as files write it.
std::string ChecksumText(uint64_t checksum);
// Absent unless `text` is such.
std::optional<uint64_t> ChecksumIn(std::string_view text);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_CHECKSUM_H_
