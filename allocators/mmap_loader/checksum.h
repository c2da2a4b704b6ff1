#ifndef ALLOCATORS_MMAP_LOADER_CHECKSUM_H_
#define ALLOCATORS_MMAP_LOADER_CHECKSUM_H_

// The checksum of a tensor's bytes: XXH3-64, fast enough to be limited by memory. It finds
// accidents, not attacks. Thread-safe.

#include <cstdint>
#include <span>
#include <string>

namespace plimsoll::weights {

uint64_t ChecksumOf(std::span<const std::byte> bytes);

// 16 hexadecimal digits, as files write it.
std::string ChecksumText(uint64_t checksum);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_CHECKSUM_H_
