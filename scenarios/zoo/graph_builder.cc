#include "scenarios/zoo/graph_builder.h"

#include <cmath>
#include <cstddef>

namespace plimsoll {
namespace {

// Fowler–Noll–Vo 1a: spreads model names over seeds.
uint64_t HashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// splitmix64 (Steele, Lea and Flood 2014): one independent word for each index.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Uniform in [-1, 1): 24 bits convert to float exactly, so no rounding mode or
// library function can make two machines differ.
float Uniform(uint64_t word) {
  const auto bits = static_cast<int32_t>(word >> 40) - (1 << 23);
  return static_cast<float>(bits) * 0x1p-23f;
}

void SetShape(onnx::ValueInfoProto* info, const std::string& name, const Dims& dims) {
  info->set_name(name);
  auto* type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) type->mutable_shape()->add_dim()->set_dim_value(dim);
}

float FanInAmplitude(int64_t fan_in) { return std::sqrt(6.0f / static_cast<float>(fan_in)); }

}  // namespace

onnx::AttributeProto IntAttribute(const std::string& name, int64_t value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
  return attribute;
}

onnx::AttributeProto IntsAttribute(const std::string& name, const std::vector<int64_t>& values) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
  return attribute;
}

onnx::AttributeProto FloatAttribute(const std::string& name, float value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
  return attribute;
}

GraphBuilder::GraphBuilder(std::string_view model_name) : seed_(HashName(model_name)) {
  model_.set_ir_version(4);
  model_.set_producer_name("plimsoll");
  model_.mutable_graph()->set_name(std::string(model_name));
  auto* opset = model_.add_opset_import();
  opset->set_domain("");
  opset->set_version(9);
}

std::string GraphBuilder::Fresh(std::string_view stem) {
  return std::string(stem) + "_" + std::to_string(values_++);
}

Value GraphBuilder::Input(const std::string& name, const Dims& dims) {
  SetShape(model_.mutable_graph()->add_input(), name, dims);
  return name;
}

Value GraphBuilder::Weight(const Dims& dims, float amplitude, float centre) {
  auto* tensor = model_.mutable_graph()->add_initializer();
  tensor->set_name(Fresh("weight"));
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  size_t count = 1;
  for (const int64_t dim : dims) {
    tensor->add_dims(dim);
    count *= static_cast<size_t>(dim);
  }
  std::string* raw = tensor->mutable_raw_data();
  raw->resize(count * sizeof(float));
  auto* out = reinterpret_cast<float*>(raw->data());
  const uint64_t stream = Mix(seed_ ^ weights_++);
  for (size_t i = 0; i < count; ++i) out[i] = centre + amplitude * Uniform(Mix(stream + i));
  return tensor->name();
}

Value GraphBuilder::Integers(const std::vector<int64_t>& values) {
  auto* tensor = model_.mutable_graph()->add_initializer();
  tensor->set_name(Fresh("integers"));
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  tensor->set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return tensor->name();
}

Value GraphBuilder::Node(std::string_view op, const std::vector<Value>& inputs,
                         const std::vector<onnx::AttributeProto>& attributes) {
  auto* node = model_.mutable_graph()->add_node();
  node->set_op_type(std::string(op));
  node->set_name(Fresh(op));
  for (const Value& input : inputs) node->add_input(input);
  for (const auto& attribute : attributes) *node->add_attribute() = attribute;
  node->add_output(node->name() + "_out");
  return node->output(0);
}

Value GraphBuilder::Conv(const Value& x, const ConvShape& s, bool bias) {
  const int64_t fan_in = s.in / s.group * s.kernel * s.kernel;
  std::vector<Value> inputs = {
      x, Weight({s.out, s.in / s.group, s.kernel, s.kernel}, FanInAmplitude(fan_in))};
  if (bias) inputs.push_back(Weight({s.out}, 0.01f));
  return Node("Conv", inputs,
              {IntsAttribute("kernel_shape", {s.kernel, s.kernel}),
               IntsAttribute("strides", {s.stride, s.stride}),
               IntsAttribute("pads", {s.pad, s.pad, s.pad, s.pad}),
               IntsAttribute("dilations", {1, 1}), IntAttribute("group", s.group)});
}

Value GraphBuilder::BatchNorm(const Value& x, int64_t channels, float gamma) {
  const Value scale = Weight({channels}, 0.05f * gamma, gamma);
  const Value shift = Weight({channels}, 0.05f);
  const Value mean = Weight({channels}, 0.05f);
  const Value variance = Weight({channels}, 0.05f, 1.0f);
  return Node("BatchNormalization", {x, scale, shift, mean, variance},
              {FloatAttribute("epsilon", 1e-5f)});
}

Value GraphBuilder::MaxPool(const Value& x, int64_t kernel, int64_t stride, int64_t pad) {
  return Node(
      "MaxPool", {x},
      {IntsAttribute("kernel_shape", {kernel, kernel}), IntsAttribute("strides", {stride, stride}),
       IntsAttribute("pads", {pad, pad, pad, pad})});
}

Value GraphBuilder::Gemm(const Value& x, int64_t in, int64_t out) {
  const Value weight = Weight({out, in}, FanInAmplitude(in) * 0.5f);
  const Value bias = Weight({out}, 0.01f);
  return Node("Gemm", {x, weight, bias}, {IntAttribute("transB", 1)});
}

Value GraphBuilder::Dense(const Value& x, int64_t in, int64_t out) {
  const Value product = Node("MatMul", {x, Weight({in, out}, FanInAmplitude(in) * 0.7f)});
  return Node("Add", {product, Weight({out}, 0.01f)});
}

Value GraphBuilder::LayerNorm(const Value& x, int64_t axis, int64_t width) {
  const std::vector<onnx::AttributeProto> over_last = {IntsAttribute("axes", {axis}),
                                                       IntAttribute("keepdims", 1)};
  const Value centred = Node("Sub", {x, Node("ReduceMean", {x}, over_last)});
  const Value variance = Node("ReduceMean", {Node("Mul", {centred, centred})}, over_last);
  const Value deviation = Node("Sqrt", {Node("Add", {variance, Weight({1}, 0.0f, 1e-5f)})});
  return Node("Add", {Node("Div", {centred, deviation}), Weight({width}, 0.05f)});
}

onnx::ModelProto GraphBuilder::Finish(const Value& output, const Dims& dims) {
  SetShape(model_.mutable_graph()->add_output(), output, dims);
  return std::move(model_);
}

}  // namespace plimsoll
