#include "harness/verdict/carving.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace plimsoll {
namespace {

constexpr size_t kLeastBlocks = 6;
constexpr double kGrowth = 1.2;
constexpr double kTolerance = 1 / 6.;
constexpr double kRounding = 2;  // iterations

double Bytes(const EpochSurvivors& epoch) { return static_cast<double>(epoch.bytes); }

}  // namespace

std::optional<double> CarvingRate(const std::vector<EpochSurvivors>& epochs, uint32_t start,
                                  uint32_t end) {
  std::vector<EpochSurvivors> blocks;
  for (const EpochSurvivors& epoch : epochs) {
    if (epoch.epoch <= start || epoch.epoch > end || epoch.blocks == 0) continue;
    if (epoch.blocks > 1) return std::nullopt;
    if (!blocks.empty() && Bytes(epoch) < kGrowth * Bytes(blocks.back())) return std::nullopt;
    blocks.push_back(epoch);
  }
  if (blocks.size() < kLeastBlocks) return std::nullopt;
  double used = 0;
  for (size_t i = 0; i + 1 < blocks.size(); ++i) used += Bytes(blocks[i]);
  const double rate = used / (blocks.back().epoch - blocks.front().epoch);
  const auto tolerance = [](double lasts) { return std::max(kRounding, kTolerance * lasts); };
  for (size_t i = 0; i < blocks.size(); ++i) {
    const double expected = Bytes(blocks[i]) / rate;
    const bool last = i + 1 == blocks.size();
    const double lasted = (last ? end : blocks[i + 1].epoch) - blocks[i].epoch;
    if (lasted > expected + tolerance(expected)) return std::nullopt;
    if (!last && lasted < expected - tolerance(expected)) return std::nullopt;
  }
  return rate;
}

}  // namespace plimsoll
