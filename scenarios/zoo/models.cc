#include "scenarios/zoo/models.h"

#include <array>
#include <cmath>

#include "scenarios/zoo/graph_builder.h"

namespace plimsoll {
namespace {

Value ConvNormRelu(GraphBuilder& g, const Value& x, const ConvShape& shape) {
  return g.Relu(g.BatchNorm(g.Conv(x, shape, /*bias=*/false), shape.out));
}

Value ClassifierHead(GraphBuilder& g, const Value& x, int64_t channels, int64_t classes) {
  const Value pooled = g.Node("GlobalAveragePool", {x});
  return g.Gemm(g.Node("Flatten", {pooled}, {IntAttribute("axis", 1)}), channels, classes);
}

// He et al. 2015, with the stride in the 3x3 convolution as torchvision has it:
// 25,557,032 trainable parameters.
onnx::ModelProto ResNet50() {
  GraphBuilder g("resnet50");
  Value x = g.Input("input", {1, 3, 224, 224});
  x = ConvNormRelu(g, x, {.in = 3, .out = 64, .kernel = 7, .stride = 2, .pad = 3});
  x = g.MaxPool(x, 3, 2, 1);
  int64_t in = 64;
  constexpr std::array<int, 4> kBlocks = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage;
    for (int block = 0; block < kBlocks[stage]; ++block) {
      const int64_t stride = (block == 0 && stage > 0) ? 2 : 1;
      Value y = ConvNormRelu(g, x, {.in = in, .out = width});
      y = ConvNormRelu(g, y, {.in = width, .out = width, .kernel = 3, .stride = stride, .pad = 1});
      y = g.Conv(y, {.in = width, .out = 4 * width}, /*bias=*/false);
      // Small residual branches keep sixteen additions from inflating the output.
      y = g.BatchNorm(y, 4 * width, 0.25f);
      if (block == 0) {
        x = g.BatchNorm(g.Conv(x, {.in = in, .out = 4 * width, .stride = stride}, false),
                        4 * width);
      }
      x = g.Relu(g.Node("Add", {y, x}));
      in = 4 * width;
    }
  }
  return g.Finish(ClassifierHead(g, x, in, 1000), {1, 1000});
}

Value Relu6(GraphBuilder& g, const Value& x) {
  return g.Node("Clip", {x}, {FloatAttribute("min", 0.0f), FloatAttribute("max", 6.0f)});
}

// Sandler et al. 2018, width 1.0: 3,504,872 trainable parameters.
onnx::ModelProto MobileNetV2() {
  GraphBuilder g("mobilenet_v2");
  struct Stage {
    int64_t expand, out, repeat, stride;
  };
  constexpr std::array<Stage, 7> kStages = {{{1, 16, 1, 1},
                                             {6, 24, 2, 2},
                                             {6, 32, 3, 2},
                                             {6, 64, 4, 2},
                                             {6, 96, 3, 1},
                                             {6, 160, 3, 2},
                                             {6, 320, 1, 1}}};
  const auto conv = [&g](const Value& x, const ConvShape& shape) {
    return Relu6(g, g.BatchNorm(g.Conv(x, shape, /*bias=*/false), shape.out));
  };
  Value x = g.Input("input", {1, 3, 224, 224});
  x = conv(x, {.in = 3, .out = 32, .kernel = 3, .stride = 2, .pad = 1});
  int64_t in = 32;
  for (const Stage& stage : kStages) {
    for (int64_t i = 0; i < stage.repeat; ++i) {
      const int64_t stride = i == 0 ? stage.stride : 1;
      const int64_t hidden = in * stage.expand;
      Value y = x;
      if (stage.expand != 1) y = conv(y, {.in = in, .out = hidden});
      y = conv(
          y,
          {.in = hidden, .out = hidden, .kernel = 3, .stride = stride, .pad = 1, .group = hidden});
      y = g.BatchNorm(g.Conv(y, {.in = hidden, .out = stage.out}, /*bias=*/false), stage.out);
      x = (stride == 1 && in == stage.out) ? g.Node("Add", {x, y}) : y;
      in = stage.out;
    }
  }
  x = conv(x, {.in = in, .out = 1280});
  return g.Finish(ClassifierHead(g, x, 1280, 1000), {1, 1000});
}

// Iandola et al. 2016, version 1.1: 1,235,496 parameters.
onnx::ModelProto SqueezeNet() {
  GraphBuilder g("squeezenet");
  const auto conv = [&g](const Value& x, const ConvShape& shape) {
    return g.Relu(g.Conv(x, shape, /*bias=*/true));
  };
  const auto fire = [&](const Value& x, int64_t in, int64_t squeeze, int64_t expand) {
    const Value s = conv(x, {.in = in, .out = squeeze});
    return g.Node("Concat",
                  {conv(s, {.in = squeeze, .out = expand}),
                   conv(s, {.in = squeeze, .out = expand, .kernel = 3, .pad = 1})},
                  {IntAttribute("axis", 1)});
  };
  Value x = g.Input("input", {1, 3, 224, 224});
  x = g.MaxPool(conv(x, {.in = 3, .out = 64, .kernel = 3, .stride = 2}), 3, 2, 0);
  x = fire(fire(x, 64, 16, 64), 128, 16, 64);
  x = g.MaxPool(x, 3, 2, 0);
  x = fire(fire(x, 128, 32, 128), 256, 32, 128);
  x = g.MaxPool(x, 3, 2, 0);
  x = fire(fire(x, 256, 48, 192), 384, 48, 192);
  x = fire(fire(x, 384, 64, 256), 512, 64, 256);
  x = conv(x, {.in = 512, .out = 1000});
  return g.Finish(g.Node("GlobalAveragePool", {x}), {1, 1000, 1, 1});
}

struct EncoderShape {
  int64_t layers, sequence, width, heads, hidden;
};

// Vaswani et al. 2017, encoder with normalisation before each part, over features
// already embedded: (1, sequence, width) in and out.
onnx::ModelProto Encoder(std::string_view name, const EncoderShape& s) {
  GraphBuilder g(name);
  const int64_t head_width = s.width / s.heads;
  const auto perm = [](std::vector<int64_t> order) {
    return std::vector<onnx::AttributeProto>{IntsAttribute("perm", order)};
  };
  const auto heads = [&](const Value& x, const std::vector<int64_t>& order) {
    const Value split =
        g.Node("Reshape", {g.Dense(x, s.width, s.width), g.Integers({0, 0, s.heads, head_width})});
    return g.Node("Transpose", {split}, perm(order));
  };
  Value x = g.Input("input", {1, s.sequence, s.width});
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const Value n = g.LayerNorm(x, 2, s.width);
    const Value q = heads(n, {0, 2, 1, 3});
    const Value k = heads(n, {0, 2, 3, 1});
    const Value v = heads(n, {0, 2, 1, 3});
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_width));
    const Value scores = g.Node("Mul", {g.Node("MatMul", {q, k}), g.Weight({1}, 0.0f, scale)});
    const Value attention = g.Node("Softmax", {scores}, {IntAttribute("axis", 3)});
    const Value mixed = g.Node("Transpose", {g.Node("MatMul", {attention, v})}, perm({0, 2, 1, 3}));
    const Value joined = g.Node("Reshape", {mixed, g.Integers({0, 0, s.width})});
    x = g.Node("Add", {x, g.Dense(joined, s.width, s.width)});
    const Value hidden = g.Relu(g.Dense(g.LayerNorm(x, 2, s.width), s.width, s.hidden));
    x = g.Node("Add", {x, g.Dense(hidden, s.hidden, s.width)});
  }
  return g.Finish(g.LayerNorm(x, 2, s.width), {1, s.sequence, s.width});
}

onnx::ModelProto Transformer() { return Encoder("transformer", {4, 64, 256, 4, 1024}); }

onnx::ModelProto TinyTransformer() { return Encoder("tiny_transformer", {1, 8, 16, 2, 32}); }

onnx::ModelProto TinyCnn() {
  GraphBuilder g("tiny_cnn");
  Value x = g.Input("input", {1, 3, 16, 16});
  x = ConvNormRelu(g, x, {.in = 3, .out = 8, .kernel = 3, .pad = 1});
  x = g.MaxPool(x, 2, 2, 0);
  x = ConvNormRelu(g, x, {.in = 8, .out = 16, .kernel = 3, .pad = 1});
  return g.Finish(ClassifierHead(g, x, 16, 10), {1, 10});
}

onnx::ModelProto TinyMlp() {
  GraphBuilder g("tiny_mlp");
  const Value x = g.Input("input", {1, 32});
  return g.Finish(g.Gemm(g.Relu(g.Gemm(x, 32, 64)), 64, 10), {1, 10});
}

constexpr std::array<ZooModel, 7> kModels = {{
    {"mobilenet_v2", "MobileNetV2, 224x224, 3.5 M parameters", 14182446, MobileNetV2},
    {"resnet50", "ResNet-50, 224x224, 25.6 M parameters", 102467693, ResNet50},
    {"squeezenet", "SqueezeNet 1.1, 224x224, 1.2 M parameters", 4949759, SqueezeNet},
    {"tiny_cnn", "two convolutions, 16x16", 7917, TinyCnn},
    {"tiny_mlp", "two dense layers, 32 features", 11401, TinyMlp},
    {"tiny_transformer", "one encoder layer, 8 tokens of 16 features", 12625, TinyTransformer},
    {"transformer", "four encoder layers, 64 tokens of 256 features", 12643061, Transformer},
}};

}  // namespace

std::span<const ZooModel> ZooModels() { return kModels; }

}  // namespace plimsoll
