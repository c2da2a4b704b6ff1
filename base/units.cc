#include "base/units.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace plimsoll {
namespace {

struct Suffix {
  std::string_view name;
  double factor;
};

constexpr double kKilo = 1000.0;
constexpr double kKibi = 1024.0;
constexpr std::array<Suffix, 13> kSuffixes = {{
    {"b", 1},
    {"k", kKibi},
    {"kib", kKibi},
    {"kb", kKilo},
    {"m", kKibi* kKibi},
    {"mib", kKibi* kKibi},
    {"mb", kKilo* kKilo},
    {"g", kKibi* kKibi* kKibi},
    {"gib", kKibi* kKibi* kKibi},
    {"gb", kKilo* kKilo* kKilo},
    {"t", kKibi* kKibi* kKibi* kKibi},
    {"tib", kKibi* kKibi* kKibi* kKibi},
    {"tb", kKilo* kKilo* kKilo* kKilo},
}};

constexpr std::string_view kAllowed =
    "expected a size such as 512, '64 B', '450 MiB' or '8G', below 2^63";

tl::unexpected<Error> BadSize(std::string_view text) { return BadValue("", "", text, kAllowed); }

}  // namespace

Expected<uint64_t> ParseBytes(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0) || std::signbit(number)) return BadSize(text);
  std::string suffix(end, text.data() + text.size());
  if (!suffix.empty() && suffix.front() == ' ') suffix.erase(0, 1);
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  double factor = 0;
  if (suffix.empty() && end != text.data() + text.size()) return BadSize(text);
  if (suffix.empty()) {
    if (number != std::floor(number)) return BadSize(text);
    factor = 1;
    // Beyond 2^53 a double would round: whole byte counts are read as integers.
    uint64_t whole = 0;
    const auto whole_result = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (whole_result.ec == std::errc() && whole_result.ptr == text.data() + text.size()) {
      if (whole > static_cast<uint64_t>(INT64_MAX)) return BadSize(text);
      return whole;
    }
  }
  for (const Suffix& known : kSuffixes) {
    if (suffix == known.name) factor = known.factor;
  }
  const double bytes = std::round(number * factor);
  if (factor == 0 || !(bytes < 9223372036854775808.0)) return BadSize(text);
  return static_cast<uint64_t>(bytes);
}

std::string FormatBytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = std::fabs(bytes);
  // 1023.5 would print as "1024": move on to the next unit a little early.
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  char text[48];
  const int decimals = (unit == 0 && value == std::floor(value)) || value >= 99.95 ? 0
                       : value >= 9.995                                            ? 1
                                                                                   : 2;
  std::snprintf(text, sizeof(text), "%s%.*f %s", bytes < 0 ? "-" : "", decimals, value,
                kUnits[unit]);
  return text;
}

}  // namespace plimsoll
