#ifndef HARNESS_VERDICT_SYNTHETIC_NOISE_H_
#define HARNESS_VERDICT_SYNTHETIC_NOISE_H_

// Noisy counters as RSS behaves, with an optional leak under them. Thread-safe: pure
// functions of a seed.

#include <cstdint>
#include <string>
#include <vector>

namespace plimsoll {

enum class Noise : uint8_t {
  kWhite,       // independent, standard deviation 1
  kAr8,         // autoregressive, .8 of the last value plus white noise
  kWalk,        // random walk with steps of standard deviation 1
  kTwoLevel,    // switches between 0 and 10 at random, 2 % of the time; white noise of .3
  kSaturating,  // up to 100, three quarters of it in the first quarter; white noise
  kOneStep,     // 50 up once, at a random time; white noise of .5
  kLateStep,    // the same at six tenths of the series, in every child alike
};
// All, in order.
const std::vector<Noise>& AllNoises();
// "white", "ar_0.8", "random_walk", "two_level", "saturating", "one_step", "late_step".
const char* NoiseName(Noise noise);

// `length` values of noise plus `leak` times the index. Equal seeds give equal series.
std::vector<double> NoisySeries(Noise noise, double leak, uint32_t length, uint64_t seed);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SYNTHETIC_NOISE_H_
