#ifndef SCENARIOS_ENGINES_REFERENCE_COMPILED_NETWORK_H_
#define SCENARIOS_ENGINES_REFERENCE_COMPILED_NETWORK_H_

// A dense network made ready for inference: weights packed, activations planned into
// one scratch block. One instance belongs to one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "scenarios/engines/reference/mini_options.h"

namespace plimsoll {

class CompiledNetwork {
 public:
  // Compiles: what it holds comes from `resource`, which must outlive it.
  CompiledNetwork(const MiniOptions& options, std::pmr::memory_resource* resource);

  // One forward pass over the seeded input, in a scratch block of `step` that lives as
  // long as the call. Returns the sum of the outputs: the same bits every time.
  double Infer(std::pmr::memory_resource* step) const;

  // Bytes of the scratch block; less than all activations together.
  size_t scratch_bytes() const { return scratch_floats_ * sizeof(float); }

 private:
  // Output columns side by side, eight at a time, so that the inner loop runs over
  // neighbours in memory; the last panel is padded with zeros.
  struct PackedLayer {
    int64_t in;
    int64_t out;
    std::pmr::vector<float> panels;
    std::pmr::vector<float> bias;
    size_t input_at;  // offsets into the scratch block, in floats
    size_t output_at;
  };

  static constexpr int64_t kPanel = 8;

  PackedLayer Pack(int64_t in, int64_t out, uint64_t stream) const;
  void PlanScratch();
  void Forward(const PackedLayer& layer, float* scratch, bool relu) const;

  MiniOptions options_;
  std::pmr::memory_resource* resource_;
  std::pmr::vector<float> input_;
  std::pmr::vector<PackedLayer> layers_;
  size_t scratch_floats_ = 0;
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_COMPILED_NETWORK_H_
