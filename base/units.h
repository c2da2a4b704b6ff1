#ifndef BASE_UNITS_H_
#define BASE_UNITS_H_

// Byte sizes as people write and read them. Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// Parses a non-negative size in bytes: "0", "512", "64 B", "450 MiB", "8G".
// Suffixes, case-insensitive, with an optional space before them: B; K, M, G, T and
// KiB, MiB, GiB, TiB are powers of 1024; KB, MB, GB, TB are powers of 1000. A
// fraction is allowed with a suffix ("1.5 GiB") and rounds to the nearest byte.
// Negative, NaN, unknown suffix, trailing text or more than 2^63 - 1: an error.
Expected<uint64_t> ParseBytes(std::string_view text);

// "0 B", "64 B", "1.50 KiB", "97.5 MiB": three significant digits, binary units.
// Negative values keep their sign.
std::string FormatBytes(double bytes);

inline namespace literals {
constexpr uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
constexpr uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
constexpr uint64_t operator""_GiB(unsigned long long n) { return n << 30; }
}  // namespace literals

}  // namespace plimsoll

#endif  // BASE_UNITS_H_
