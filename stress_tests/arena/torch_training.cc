#include "stress_tests/arena/torch_training.h"

#include <torch/torch.h>

#include <functional>
#include <utility>
#include <vector>

#include "allocators/planner_arena/arena_sites.h"

namespace plimsoll {
namespace {

PlannerArena* g_arena = nullptr;

void FreeInArena(void* block) { g_arena->Free(block); }

class ArenaAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) const override {
    void* const block = bytes == 0 ? nullptr : g_arena->Allocate(bytes);
    return {block, block, &FreeInArena, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &FreeInArena; }
};

struct BlockImpl : torch::nn::Module {
  BlockImpl(int64_t in, int64_t mid, int64_t out, int64_t stride) {
    namespace nn = torch::nn;
    body = register_module(
        "body",
        nn::Sequential(
            nn::Conv2d(nn::Conv2dOptions(in, mid, 1).bias(false)), nn::BatchNorm2d(mid), nn::ReLU(),
            nn::Conv2d(nn::Conv2dOptions(mid, mid, 3).stride(stride).padding(1).bias(false)),
            nn::BatchNorm2d(mid), nn::ReLU(),
            nn::Conv2d(nn::Conv2dOptions(mid, out, 1).bias(false)), nn::BatchNorm2d(out)));
    if (in != out || stride != 1) {
      shortcut = register_module(
          "shortcut",
          nn::Sequential(nn::Conv2d(nn::Conv2dOptions(in, out, 1).stride(stride).bias(false)),
                         nn::BatchNorm2d(out)));
    }
  }
  torch::Tensor forward(torch::Tensor x) {
    const torch::Tensor skip = shortcut ? shortcut->forward(x) : x;
    return torch::relu(body->forward(x) + skip);
  }
  torch::nn::Sequential body{nullptr};
  torch::nn::Sequential shortcut{nullptr};
};
TORCH_MODULE(Block);

torch::nn::Sequential ResNet50() {
  namespace nn = torch::nn;
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(3, 64, 7).stride(2).padding(3).bias(false)),
                     nn::BatchNorm2d(64), nn::ReLU(),
                     nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1)));
  int64_t in = 64;
  const int64_t depth[] = {3, 4, 6, 3};
  for (int64_t stage = 0; stage < 4; ++stage) {
    const int64_t mid = 64 << stage;
    for (int64_t i = 0; i < depth[stage]; ++i) {
      net->push_back(Block(in, mid, mid * 4, i == 0 && stage > 0 ? 2 : 1));
      in = mid * 4;
    }
  }
  net->push_back(nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions(1)));
  net->push_back(nn::Flatten());
  net->push_back(nn::Linear(in, 1000));
  return net;
}

constexpr int64_t kImage = 64;
constexpr int64_t kClasses = 1000;
constexpr int64_t kSequence = 128;
constexpr int64_t kWidth = 256;

class Training final : public TorchTraining {
 public:
  Training(std::function<torch::Tensor()> loss, const std::vector<torch::Tensor>& weights)
      : loss_(std::move(loss)), optimizer_(weights, torch::optim::SGDOptions(0.01).momentum(0.9)) {}

  float Step() override {
    optimizer_.zero_grad();
    const torch::Tensor loss = Forward();
    {
      const SiteScope backward("backward");
      loss.backward();
    }
    const SiteScope optimizer("optimizer");
    optimizer_.step();
    return loss.item<float>();
  }

 private:
  torch::Tensor Forward() const {
    const SiteScope forward("forward");
    return loss_();
  }

  const std::function<torch::Tensor()> loss_;
  torch::optim::SGD optimizer_;
};

}  // namespace

Expected<std::unique_ptr<TorchTraining>> TorchTraining::Create(const std::string& model,
                                                               int64_t batch) {
  namespace F = torch::nn::functional;
  torch::set_num_threads(1);
  torch::manual_seed(1);
  std::function<torch::Tensor()> loss;
  std::vector<torch::Tensor> weights;
  if (model == "resnet50") {
    torch::nn::Sequential net = ResNet50();
    weights = net->parameters();
    const torch::Tensor images = torch::randn({batch, 3, kImage, kImage});
    const torch::Tensor labels = torch::randint(kClasses, {batch}, torch::kLong);
    loss = [=]() mutable { return F::cross_entropy(net->forward(images), labels); };
  } else if (model == "transformer") {
    torch::nn::TransformerEncoder net(torch::nn::TransformerEncoderOptions(
        torch::nn::TransformerEncoderLayerOptions(kWidth, 4).dim_feedforward(4 * kWidth), 4));
    torch::nn::Linear head(kWidth, kClasses);
    weights = net->parameters();
    for (const torch::Tensor& weight : head->parameters()) weights.push_back(weight);
    const torch::Tensor words = torch::randn({kSequence, batch, kWidth});
    const torch::Tensor next = torch::randint(kClasses, {kSequence * batch}, torch::kLong);
    loss = [=]() mutable {
      return F::cross_entropy(head->forward(net->forward(words)).view({-1, kClasses}), next);
    };
  } else {
    return BadValue("training", "model", model, "expected resnet50 or transformer");
  }
  return std::make_unique<Training>(std::move(loss), weights);
}

void PutTensorsInto(PlannerArena& arena) {
  g_arena = &arena;
  c10::SetAllocator(c10::DeviceType::CPU, new ArenaAllocator, 1);
}

}  // namespace plimsoll
