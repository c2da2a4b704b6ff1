#include "allocators/mmap_loader/checksum.h"

#include <xxhash.h>

#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "base/check.h"

namespace plimsoll::weights {

uint64_t ChecksumOf(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

ChecksumStream::ChecksumStream() : state_(XXH3_createState()) {
  PLIMSOLL_CHECK(state_ != nullptr && XXH3_64bits_reset(state_) == XXH_OK,
                 "there is memory for half a KiB of state");
}

ChecksumStream::~ChecksumStream() { XXH3_freeState(state_); }

void ChecksumStream::Add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_, bytes.data(), bytes.size());
}

uint64_t ChecksumStream::Value() const { return XXH3_64bits_digest(state_); }

std::string ChecksumText(uint64_t checksum) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016" PRIx64, checksum);
  return text;
}

std::optional<uint64_t> ChecksumIn(std::string_view text) {
  uint64_t checksum = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, checksum, 16);
  if (text.size() != 16 || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return checksum;
}

}  // namespace plimsoll::weights
