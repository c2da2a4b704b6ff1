#include "scenarios/engines/reference/mini_options.h"

#include <random>

namespace plimsoll {

std::vector<int64_t> MiniOptions::Widths() const {
  std::vector<int64_t> widths = {features};
  widths.insert(widths.end(), static_cast<size_t>(depth), width);
  widths.push_back(classes);
  return widths;
}

void FillUniform(uint64_t seed, uint64_t stream, float amplitude, std::span<float> values) {
  std::mt19937_64 random(seed * 0x9e3779b97f4a7c15 + stream);
  for (float& value : values) {
    // 24 bits convert to float exactly; the library's distributions are not portable.
    const auto bits = static_cast<int32_t>(random() >> 40) - (1 << 23);
    value = amplitude * (static_cast<float>(bits) * 0x1p-23f);
  }
}

}  // namespace plimsoll
