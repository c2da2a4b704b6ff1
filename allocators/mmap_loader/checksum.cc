#include "allocators/mmap_loader/checksum.h"

#include <xxhash.h>

#include <cinttypes>
#include <cstdio>

namespace plimsoll::weights {

uint64_t ChecksumOf(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string ChecksumText(uint64_t checksum) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016" PRIx64, checksum);
  return text;
}

}  // namespace plimsoll::weights
