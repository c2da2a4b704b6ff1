#include "harness/verdict/synthetic_noise.h"

#include <cmath>
#include <random>

namespace plimsoll {

const std::vector<Noise>& AllNoises() {
  static const std::vector<Noise>& all = *new std::vector<Noise>{
      Noise::kWhite,      Noise::kAr8,     Noise::kWalk,    Noise::kTwoLevel,
      Noise::kSaturating, Noise::kOneStep, Noise::kLateStep};
  return all;
}

const char* NoiseName(Noise noise) {
  switch (noise) {
    case Noise::kWhite:
      return "white";
    case Noise::kAr8:
      return "ar_0.8";
    case Noise::kWalk:
      return "random_walk";
    case Noise::kTwoLevel:
      return "two_level";
    case Noise::kSaturating:
      return "saturating";
    case Noise::kOneStep:
      return "one_step";
    case Noise::kLateStep:
      return "late_step";
  }
  return "unknown";
}

std::vector<double> NoisySeries(Noise noise, double leak, uint32_t length, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  double state = 0;
  bool high = std::bernoulli_distribution(0.5)(random);
  const uint32_t when = noise == Noise::kLateStep
                            ? length * 6 / 10
                            : std::uniform_int_distribution<uint32_t>(0, length - 1)(random);
  // 1 - exp(-1.386) is three quarters.
  const double decay = 1.386 * 4 / length;
  std::vector<double> values;
  values.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    const double draw = normal(random);
    double value = 0;
    switch (noise) {
      case Noise::kWhite:
        value = draw;
        break;
      case Noise::kAr8:
        value = state = 0.8 * state + draw;
        break;
      case Noise::kWalk:
        value = state += draw;
        break;
      case Noise::kTwoLevel:
        if (std::bernoulli_distribution(0.02)(random)) high = !high;
        value = (high ? 10 : 0) + 0.3 * draw;
        break;
      case Noise::kSaturating:
        value = 100 * (1 - std::exp(-decay * i)) + draw;
        break;
      case Noise::kOneStep:
      case Noise::kLateStep:
        value = (i > when ? 50 : 0) + 0.5 * draw;
        break;
    }
    values.push_back(value + leak * i);
  }
  return values;
}

}  // namespace plimsoll
