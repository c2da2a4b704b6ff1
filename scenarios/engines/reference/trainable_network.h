#ifndef SCENARIOS_ENGINES_REFERENCE_TRAINABLE_NETWORK_H_
#define SCENARIOS_ENGINES_REFERENCE_TRAINABLE_NETWORK_H_

// A dense network in training: each step takes its activations and gradients from the
// resource under test and gives them back. One instance belongs to one thread.

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "scenarios/engines/reference/mini_options.h"

namespace plimsoll {

class TrainableNetwork {
 public:
  // What it holds from step to step comes from `resource`, which must outlive it.
  TrainableNetwork(const MiniOptions& options, std::pmr::memory_resource* resource);

  // One step of gradient descent on the squared error against seeded targets. Returns
  // the mean loss before the update, which falls from step to step. What it takes from
  // `step` it has given back when it returns.
  double Train(std::pmr::memory_resource* step);

 private:
  using Floats = std::pmr::vector<float>;

  struct Layer {
    int64_t in;
    int64_t out;
    Floats weights;  // out rows of in
    Floats bias;
  };

  Floats Allocate(int64_t width, std::pmr::memory_resource* resource) const;
  // These two allocate where `x` did.
  Floats Forward(const Layer& layer, const Floats& x, bool relu) const;
  // Turns the gradient of a layer's output into that of its input; updates the layer.
  Floats Backward(Layer& layer, const Floats& x, const Floats& gradient) const;

  MiniOptions options_;
  std::pmr::memory_resource* resource_;
  Floats input_;
  Floats targets_;
  std::pmr::vector<Layer> layers_;
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_TRAINABLE_NETWORK_H_
