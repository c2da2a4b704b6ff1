#ifndef SCENARIOS_ENGINES_TORCH_MODELS_H_
#define SCENARIOS_ENGINES_TORCH_MODELS_H_

// The networks that training cases run on libtorch. Not thread-safe, as libtorch's
// modules are not.

#include <torch/nn.h>

#include <memory>

#include "scenarios/engines/torch/options.h"

namespace plimsoll {

class Classifier : public torch::nn::Module {
 public:
  // (batch, ...) to (batch, classes).
  virtual torch::Tensor forward(torch::Tensor input) = 0;

  // The shape of an input when the varying extent is `size`: see TorchOptions.
  virtual std::vector<int64_t> InputShape(int64_t batch, int64_t size) const = 0;
};

// Weights from torch's global generator: seed it first.
std::shared_ptr<Classifier> MakeClassifier(const TorchOptions& options);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_MODELS_H_
