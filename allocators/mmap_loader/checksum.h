#ifndef ALLOCATORS_MMAP_LOADER_CHECKSUM_H_
#define ALLOCATORS_MMAP_LOADER_CHECKSUM_H_

// The checksum of a tensor's bytes: XXH3-64, fast enough to be limited by memory. It finds
// accidents, not attacks. Thread-safe.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plimsoll::weights {

uint64_t ChecksumOf(std::span<const std::byte> bytes);

// 16 hexadecimal digits, as files write it.
std::string ChecksumText(uint64_t checksum);
// Absent unless `text` is such.
std::optional<uint64_t> ChecksumIn(std::string_view text);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_CHECKSUM_H_
