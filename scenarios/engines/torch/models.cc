#include "scenarios/engines/torch/models.h"

#include <cmath>

namespace plimsoll {
namespace {

namespace nn = torch::nn;
namespace F = torch::nn::functional;

nn::Conv2d Conv(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return nn::Conv2d(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

// He et al. 2015, with the stride in the 3x3 convolution.
class Bottleneck : public nn::Module {
 public:
  Bottleneck(int64_t in, int64_t width, int64_t stride)
      : last_(4 * width),
        body_(Conv(in, width, 1, 1), nn::BatchNorm2d(width), nn::ReLU(),
              Conv(width, width, 3, stride), nn::BatchNorm2d(width), nn::ReLU(),
              Conv(width, 4 * width, 1, 1), last_) {
    // Each block begins as its shortcut (Goyal et al. 2017): else an evaluation before the
    // running statistics have settled overflows in the depth of ResNet-50.
    nn::init::zeros_(last_->weight);
    register_module("body", body_);
    if (in != 4 * width || stride != 1) {
      shortcut_->push_back(Conv(in, 4 * width, 1, stride));
      shortcut_->push_back(nn::BatchNorm2d(4 * width));
    }
    register_module("shortcut", shortcut_);
  }

  torch::Tensor forward(torch::Tensor x) {
    const torch::Tensor y = body_->forward(x);
    return torch::relu(y + (shortcut_->is_empty() ? x : shortcut_->forward(x)));
  }

 private:
  nn::BatchNorm2d last_;  // in the body
  nn::Sequential body_;
  nn::Sequential shortcut_;
};

class ResNet : public Classifier {
 public:
  explicit ResNet(const TorchOptions& o)
      : stem_(Conv(3, o.width, 7, 2), nn::BatchNorm2d(o.width), nn::ReLU(),
              nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1))) {
    int64_t in = o.width;
    for (size_t stage = 0; stage < o.stage_blocks.size(); ++stage) {
      const int64_t width = o.width << stage;
      for (int64_t block = 0; block < o.stage_blocks[stage]; ++block) {
        blocks_->push_back(Bottleneck(in, width, block == 0 && stage > 0 ? 2 : 1));
        in = 4 * width;
      }
    }
    head_ = nn::Linear(in, o.classes);
    register_module("stem", stem_);
    register_module("blocks", blocks_);
    register_module("head", head_);
  }

  torch::Tensor forward(torch::Tensor x) override {
    x = blocks_->forward(stem_->forward(x));
    return head_->forward(torch::adaptive_avg_pool2d(x, {1, 1}).flatten(1));
  }

  std::vector<int64_t> InputShape(int64_t batch, int64_t size) const override {
    return {batch, 3, size, size};
  }

 private:
  nn::Sequential stem_;
  nn::Sequential blocks_;
  nn::Linear head_{nullptr};
};

class Mlp : public Classifier {
 public:
  explicit Mlp(const TorchOptions& o) : features_(o.size) {
    int64_t in = features_;
    for (int64_t layer = 0; layer < o.depth; ++layer) {
      layers_->push_back(nn::Linear(in, o.width));
      layers_->push_back(nn::ReLU());
      in = o.width;
    }
    layers_->push_back(nn::Linear(in, o.classes));
    register_module("layers", layers_);
  }

  torch::Tensor forward(torch::Tensor x) override { return layers_->forward(x); }

  // The features are fixed by the first layer, so the batch takes the variation.
  std::vector<int64_t> InputShape(int64_t batch, int64_t size) const override {
    return {batch + (size - features_), features_};
  }

 private:
  int64_t features_;
  nn::Sequential layers_;
};

// Vaswani et al. 2017, normalisation before each part.
class EncoderLayer : public nn::Module {
 public:
  EncoderLayer(int64_t width, int64_t heads)
      : heads_(heads),
        norm_attention_(nn::LayerNormOptions({width})),
        norm_dense_(nn::LayerNormOptions({width})),
        qkv_(width, 3 * width),
        mix_(width, width),
        dense_(nn::Linear(width, 4 * width), nn::GELU(), nn::Linear(4 * width, width)) {
    register_module("norm_attention", norm_attention_);
    register_module("norm_dense", norm_dense_);
    register_module("qkv", qkv_);
    register_module("mix", mix_);
    register_module("dense", dense_);
  }

  torch::Tensor forward(torch::Tensor x) {
    const int64_t width = x.size(2);
    // (batch, tokens, 3 * width) to three of (batch, heads, tokens, width / heads).
    const auto qkv = qkv_->forward(norm_attention_->forward(x))
                         .view({x.size(0), x.size(1), 3, heads_, width / heads_})
                         .permute({2, 0, 3, 1, 4});
    const double scale = 1.0 / std::sqrt(static_cast<double>(width / heads_));
    const torch::Tensor attention =
        torch::softmax(torch::matmul(qkv[0], qkv[1].transpose(2, 3)) * scale, 3);
    const torch::Tensor mixed = torch::matmul(attention, qkv[2]).transpose(1, 2).reshape(x.sizes());
    x = x + mix_->forward(mixed);
    return x + dense_->forward(norm_dense_->forward(x));
  }

 private:
  int64_t heads_;
  nn::LayerNorm norm_attention_, norm_dense_;
  nn::Linear qkv_, mix_;
  nn::Sequential dense_;
};

class Encoder : public Classifier {
 public:
  explicit Encoder(const TorchOptions& o) : width_(o.width), head_(o.width, o.classes) {
    for (int64_t layer = 0; layer < o.depth; ++layer) {
      layers_->push_back(EncoderLayer(o.width, o.heads));
    }
    register_module("layers", layers_);
    register_module("head", head_);
  }

  torch::Tensor forward(torch::Tensor x) override {
    return head_->forward(layers_->forward(x).mean(1));
  }

  std::vector<int64_t> InputShape(int64_t batch, int64_t size) const override {
    return {batch, size, width_};
  }

 private:
  int64_t width_;
  nn::Sequential layers_;
  nn::Linear head_;
};

}  // namespace

std::shared_ptr<Classifier> MakeClassifier(const TorchOptions& options) {
  switch (options.model) {
    case TrainedModel::kResNet:
      return std::make_shared<ResNet>(options);
    case TrainedModel::kMlp:
      return std::make_shared<Mlp>(options);
    case TrainedModel::kTransformer:
      return std::make_shared<Encoder>(options);
  }
  return nullptr;
}

}  // namespace plimsoll
