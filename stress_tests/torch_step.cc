// A real training step on the planner arena: trains a small residual network in
// libtorch and prints each step's loss (its bits), time, page faults and misses, so
// that runs on the arena and on the system's malloc can be compared line by line.
//   torch_step system|arena [steps] [batch] [image]

#include <sys/resource.h>
#include <torch/torch.h>

#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "allocators/planner_arena/arena.h"

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

int64_t MinorFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

int Run(bool on_arena, int64_t steps, int64_t batch, int64_t image) {
  if (on_arena) {
    ArenaConfiguration configuration;
    configuration.start_statistic_step = 2;
    configuration.stable_statistic_step = 2;
    auto arena = PlannerArena::Create(configuration);
    if (!arena) {
      std::fprintf(stderr, "%s\n", arena.error().message.c_str());
      return 2;
    }
    // libtorch keeps tensors until the process ends.
    g_arena = arena->release();
    c10::SetAllocator(c10::DeviceType::CPU, new ArenaAllocator, 1);
  }
  torch::set_num_threads(1);
  torch::manual_seed(1);
  torch::nn::Sequential net = ResNet50();
  torch::optim::SGD optimizer(net->parameters(),
                              torch::optim::SGDOptions(0.01).momentum(0.9));
  const torch::Tensor images = torch::randn({batch, 3, image, image});
  const torch::Tensor labels = torch::randint(1000, {batch}, torch::kLong);
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t faults = MinorFaults();
    const auto start = std::chrono::steady_clock::now();
    float loss_value = 0;
    {
      std::unique_ptr<StepScope> step;
      if (on_arena) step = std::make_unique<StepScope>(*g_arena);
      optimizer.zero_grad();
      const torch::Tensor loss = torch::nn::functional::cross_entropy(net->forward(images), labels);
      loss.backward();
      optimizer.step();
      loss_value = loss.item<float>();
    }
    const double ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    std::printf("step %2ld loss %08x faults %7ld ms %7.1f", i, std::bit_cast<uint32_t>(loss_value),
                MinorFaults() - faults, ms);
    if (on_arena) {
      const ArenaStats stats = g_arena->Stats();
      std::printf(" hits %ld misses %ld unplanned %ld outside %ld height %ld peak_live %ld",
                  stats.hits, stats.misses, stats.unplanned, stats.outside, stats.plan_height,
                  stats.plan_peak_live);
    }
    std::printf("\n");
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("max_rss_kib %ld\n", usage.ru_maxrss);
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  const bool on_arena = argc > 1 && std::strcmp(argv[1], "arena") == 0;
  const auto number = [&](int i, int64_t otherwise) {
    return argc > i ? std::atol(argv[i]) : otherwise;
  };
  return plimsoll::Run(on_arena, number(2, 12), number(3, 8), number(4, 64));
}
