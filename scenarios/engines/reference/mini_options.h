#ifndef SCENARIOS_ENGINES_REFERENCE_MINI_OPTIONS_H_
#define SCENARIOS_ENGINES_REFERENCE_MINI_OPTIONS_H_

// The shape of the reference engine's network, and its seeded weights and inputs.
// Thread-safe: pure functions.

#include <cstdint>
#include <span>
#include <vector>

namespace plimsoll {

// Dense layers with a ReLU between them: features -> width, depth times, -> classes.
struct MiniOptions {
  int64_t batch = 8;
  int64_t features = 64;
  int64_t width = 128;
  int64_t depth = 3;
  int64_t classes = 10;
  double learning_rate = 0.05;
  uint64_t seed = 1;

  // The number of values between layers: features, width …, classes.
  std::vector<int64_t> Widths() const;
};

// Fills `values` uniformly in [-amplitude, amplitude]: the same for the same seed and
// stream on every machine.
void FillUniform(uint64_t seed, uint64_t stream, float amplitude, std::span<float> values);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_MINI_OPTIONS_H_
