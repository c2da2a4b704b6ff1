#include "scenarios/engines/reference/compiled_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace plimsoll {

CompiledNetwork::CompiledNetwork(const MiniOptions& options, std::pmr::memory_resource* resource)
    : options_(options),
      resource_(resource),
      input_(static_cast<size_t>(options.batch * options.features), resource),
      layers_(resource) {
  FillUniform(options_.seed, 0, 1.0f, input_);
  const std::vector<int64_t> widths = options_.Widths();
  layers_.reserve(widths.size() - 1);
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    layers_.push_back(Pack(widths[i], widths[i + 1], i + 1));
  }
  PlanScratch();
}

CompiledNetwork::PackedLayer CompiledNetwork::Pack(int64_t in, int64_t out, uint64_t stream) const {
  // As a model file would hold them, row by row; dropped once packed.
  std::pmr::vector<float> rows(static_cast<size_t>(in * out), resource_);
  FillUniform(options_.seed, stream, std::sqrt(6.0f / static_cast<float>(in)), rows);
  const int64_t panels = (out + kPanel - 1) / kPanel;
  PackedLayer layer{in,
                    out,
                    std::pmr::vector<float>(static_cast<size_t>(panels * in * kPanel), resource_),
                    std::pmr::vector<float>(static_cast<size_t>(out), resource_),
                    0,
                    0};
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      layer.panels[(o / kPanel * in + i) * kPanel + o % kPanel] = rows[o * in + i];
    }
  }
  return layer;
}

// An activation lives from the layer that writes it to the layer that reads it, so two
// at a time: even ones from the bottom up, odd ones from the top of the widest pair down.
void CompiledNetwork::PlanScratch() {
  const auto floats = [this](int64_t width) { return static_cast<size_t>(options_.batch * width); };
  for (const PackedLayer& layer : layers_) {
    scratch_floats_ = std::max(scratch_floats_, floats(layer.in) + floats(layer.out));
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    PackedLayer& layer = layers_[i];
    const bool even = i % 2 == 0;
    layer.input_at = even ? 0 : scratch_floats_ - floats(layer.in);
    layer.output_at = even ? scratch_floats_ - floats(layer.out) : 0;
  }
}

void CompiledNetwork::Forward(const PackedLayer& layer, float* scratch, bool relu) const {
  for (int64_t b = 0; b < options_.batch; ++b) {
    const float* x = scratch + layer.input_at + b * layer.in;
    float* y = scratch + layer.output_at + b * layer.out;
    for (int64_t first = 0; first < layer.out; first += kPanel) {
      float sums[kPanel] = {};
      const float* panel = layer.panels.data() + first * layer.in;
      for (int64_t i = 0; i < layer.in; ++i) {
        for (int64_t lane = 0; lane < kPanel; ++lane) sums[lane] += x[i] * panel[i * kPanel + lane];
      }
      for (int64_t o = first; o < std::min(first + kPanel, layer.out); ++o) {
        const float value = sums[o - first] + layer.bias[o];
        y[o] = relu ? std::max(value, 0.0f) : value;
      }
    }
  }
}

double CompiledNetwork::Infer(std::pmr::memory_resource* step) const {
  std::pmr::vector<float> scratch(scratch_floats_, step);
  std::copy(input_.begin(), input_.end(), scratch.begin());
  for (size_t i = 0; i < layers_.size(); ++i) {
    Forward(layers_[i], scratch.data(), /*relu=*/i + 1 < layers_.size());
  }
  const auto output = scratch.begin() + static_cast<std::ptrdiff_t>(layers_.back().output_at);
  return std::accumulate(output, output + options_.batch * options_.classes, 0.0);
}

}  // namespace plimsoll
