#include "scenarios/engines/reference/trainable_network.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace plimsoll {

TrainableNetwork::TrainableNetwork(const MiniOptions& options, std::pmr::memory_resource* resource)
    : options_(options),
      resource_(resource),
      input_(Allocate(options.features, resource)),
      targets_(Allocate(options.classes, resource)),
      layers_(resource) {
  FillUniform(options_.seed, 0, 1.0f, input_);
  FillUniform(options_.seed, 1'000'000, 1.0f, targets_);
  const std::vector<int64_t> widths = options_.Widths();
  layers_.reserve(widths.size() - 1);
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const int64_t in = widths[i], out = widths[i + 1];
    Layer layer{in, out, Floats(static_cast<size_t>(in * out), resource_),
                Floats(static_cast<size_t>(out), resource_)};
    FillUniform(options_.seed, i + 1, std::sqrt(3.0f / static_cast<float>(in)), layer.weights);
    layers_.push_back(std::move(layer));
  }
}

TrainableNetwork::Floats TrainableNetwork::Allocate(int64_t width,
                                                    std::pmr::memory_resource* resource) const {
  return Floats(static_cast<size_t>(options_.batch * width), resource);
}

TrainableNetwork::Floats TrainableNetwork::Forward(const Layer& layer, const Floats& x,
                                                   bool relu) const {
  Floats y = Allocate(layer.out, x.get_allocator().resource());
  for (int64_t b = 0; b < options_.batch; ++b) {
    for (int64_t o = 0; o < layer.out; ++o) {
      float sum = layer.bias[o];
      for (int64_t i = 0; i < layer.in; ++i) {
        sum += layer.weights[o * layer.in + i] * x[b * layer.in + i];
      }
      y[b * layer.out + o] = relu ? std::max(sum, 0.0f) : sum;
    }
  }
  return y;
}

TrainableNetwork::Floats TrainableNetwork::Backward(Layer& layer, const Floats& x,
                                                    const Floats& gradient) const {
  Floats inner = Allocate(layer.in, x.get_allocator().resource());
  const auto rate = static_cast<float>(options_.learning_rate);
  for (int64_t b = 0; b < options_.batch; ++b) {
    for (int64_t o = 0; o < layer.out; ++o) {
      const float g = gradient[b * layer.out + o];
      for (int64_t i = 0; i < layer.in; ++i) {
        inner[b * layer.in + i] += g * layer.weights[o * layer.in + i];
      }
    }
  }
  for (int64_t o = 0; o < layer.out; ++o) {
    for (int64_t b = 0; b < options_.batch; ++b) {
      const float g = rate * gradient[b * layer.out + o];
      layer.bias[o] -= g;
      for (int64_t i = 0; i < layer.in; ++i) {
        layer.weights[o * layer.in + i] -= g * x[b * layer.in + i];
      }
    }
  }
  // The layer below ended in a ReLU: where it gave 0, nothing flows back.
  for (size_t i = 0; i < inner.size(); ++i) {
    if (x[i] <= 0.0f) inner[i] = 0.0f;
  }
  return inner;
}

double TrainableNetwork::Train(std::pmr::memory_resource* step) {
  std::pmr::vector<Floats> activations(step);
  activations.reserve(layers_.size() + 1);
  activations.push_back(Floats(input_, step));
  for (size_t i = 0; i < layers_.size(); ++i) {
    activations.push_back(Forward(layers_[i], activations[i], i + 1 < layers_.size()));
  }
  const Floats& output = activations.back();
  Floats gradient = Allocate(options_.classes, step);
  double loss = 0;
  const float scale = 1.0f / static_cast<float>(output.size());
  for (size_t i = 0; i < output.size(); ++i) {
    const float difference = output[i] - targets_[i];
    loss += difference * difference;
    gradient[i] = 2.0f * difference * scale;
  }
  for (size_t i = layers_.size(); i-- > 0;) {
    gradient = Backward(layers_[i], activations[i], gradient);
  }
  return loss * static_cast<double>(scale);
}

}  // namespace plimsoll
