#ifndef SCENARIOS_ZOO_GRAPH_BUILDER_H_
#define SCENARIOS_ZOO_GRAPH_BUILDER_H_

// Builds an ONNX graph with deterministic float32 weights, layer by layer. One
// builder belongs to one thread.

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

// The name of a value (a tensor) inside the graph being built.
using Value = std::string;
using Dims = std::vector<int64_t>;

// How a convolution moves over its input. Pads are equal on every side.
struct ConvShape {
  int64_t in = 1;
  int64_t out = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t pad = 0;
  int64_t group = 1;
};

// Weights are a pure function of the model's name, the weight's ordinal and the
// element's index, so a model's file is the same on every machine.
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string_view model_name);

  Value Input(const std::string& name, const Dims& dims);
  // Uniform in [centre - amplitude, centre + amplitude].
  Value Weight(const Dims& dims, float amplitude, float centre = 0.0f);
  Value Integers(const std::vector<int64_t>& values);

  // One output node of any operator; the result names its output.
  Value Node(std::string_view op, const std::vector<Value>& inputs,
             const std::vector<onnx::AttributeProto>& attributes = {});

  // He-uniform weights: activations keep their scale through a ReLU.
  Value Conv(const Value& x, const ConvShape& shape, bool bias);
  // Per-channel scale about `gamma`; shift, mean and variance near 0, 0 and 1.
  Value BatchNorm(const Value& x, int64_t channels, float gamma = 1.0f);
  Value Relu(const Value& x) { return Node("Relu", {x}); }
  Value MaxPool(const Value& x, int64_t kernel, int64_t stride, int64_t pad);
  // x (rows x in) times a constant (in x out) plus bias.
  Value Gemm(const Value& x, int64_t in, int64_t out);
  // The same over the last axis of a tensor of any rank.
  Value Dense(const Value& x, int64_t in, int64_t out);
  // Over `axis`, the last, of `width` elements, spelled with elementary operators. The
  // gain is left to the dense layer that follows: OpenCV 4.6 cannot multiply a tensor
  // of rank 3 by a constant vector.
  Value LayerNorm(const Value& x, int64_t axis, int64_t width);

  // Opset 9, IR version 4: what OpenCV 4.6 knows best. Call once, last.
  onnx::ModelProto Finish(const Value& output, const Dims& dims);

 private:
  std::string Fresh(std::string_view stem);

  onnx::ModelProto model_;
  uint64_t seed_;
  uint64_t weights_ = 0;
  uint64_t values_ = 0;
};

onnx::AttributeProto IntAttribute(const std::string& name, int64_t value);
onnx::AttributeProto IntsAttribute(const std::string& name, const std::vector<int64_t>& values);
onnx::AttributeProto FloatAttribute(const std::string& name, float value);

}  // namespace plimsoll

#endif  // SCENARIOS_ZOO_GRAPH_BUILDER_H_
