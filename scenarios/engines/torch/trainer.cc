#include "scenarios/engines/torch/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/optim.h>
#include <torch/serialize.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "scenarios/engines/torch/models.h"
#include "scenarios/engines/torch/module_weights.h"
#include "scenarios/engines/torch/pmr_allocator.h"
#include "scenarios/engines/torch/prefetch_queue.h"
#include "scenarios/engines/torch/size_schedule.h"

namespace plimsoll {
namespace {

struct Batch {
  torch::Tensor input, labels;
};

uint64_t BatchBytes(const Batch& batch) { return batch.input.nbytes() + batch.labels.nbytes(); }

// Makes the batches of a run, one after another. From one thread at a time.
class BatchSource {
 public:
  BatchSource(const TorchOptions& options, std::shared_ptr<Classifier> model)
      : options_(options),
        model_(std::move(model)),
        schedule_(options),
        generator_(at::detail::createCPUGenerator(options.seed)) {}

  Batch Next() {
    const auto shape = model_->InputShape(options_.batch, schedule_.Next());
    return {torch::randn(shape, generator_),
            torch::randint(options_.classes, {shape[0]}, generator_, torch::kLong)};
  }

 private:
  TorchOptions options_;
  std::shared_ptr<Classifier> model_;
  SizeSchedule schedule_;
  at::Generator generator_;
};

std::unique_ptr<torch::optim::Optimizer> MakeOptimizer(const TorchOptions& o,
                                                       std::vector<torch::Tensor> parameters) {
  if (o.optimizer == OptimizerKind::kAdam) {
    return std::make_unique<torch::optim::Adam>(std::move(parameters),
                                                torch::optim::AdamOptions(o.learning_rate));
  }
  return std::make_unique<torch::optim::SGD>(
      std::move(parameters), torch::optim::SGDOptions(o.learning_rate)
                                 .momentum(o.optimizer == OptimizerKind::kMomentum ? 0.9 : 0.0));
}

// Before the first tensor: afterwards libtorch refuses, or ignores, the change.
void ConfigureOnce(const TorchOptions& options, std::pmr::memory_resource* resource) {
  at::set_num_threads(static_cast<int>(options.threads));
  at::set_num_interop_threads(1);
  if (resource != nullptr) InstallCpuAllocator(resource);
}

double CheckedLoss(const torch::Tensor& loss) {
  const double value = loss.item<double>();
  if (!std::isfinite(value)) throw std::runtime_error("the loss is not finite");
  return value;
}

}  // namespace

struct Trainer::State {
  std::shared_ptr<Classifier> model;
  std::vector<torch::Tensor> parameters;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  std::unique_ptr<BatchSource> source;
  std::unique_ptr<PrefetchQueue<Batch>> queue;  // last: its thread uses the source

  Batch Take() { return queue ? queue->Take() : source->Next(); }
};

Trainer::Trainer(const TorchOptions& options, std::pmr::memory_resource* resource,
                 std::optional<WeightsChoice> weights)
    : options_(options), weights_(std::move(weights)) {
  ConfigureOnce(options_, resource);
}

Trainer::~Trainer() = default;

void Trainer::Build() {
  torch::manual_seed(options_.seed);
  auto state = std::make_unique<State>();
  state->model = MakeClassifier(options_);
  if (weights_) {
    const BoundWeights bound =
        BindModuleWeights(*state->model, weights_->files.front(), weights_->options);
    findings_ = FindingsOf(bound.report, bound.use, "it is not aligned to its element");
  }
  state->model->train();
  state->parameters = state->model->parameters();
  state->optimizer = MakeOptimizer(options_, state->parameters);
  state->source = std::make_unique<BatchSource>(options_, state->model);
  if (options_.prefetch > 0) {
    state->queue = std::make_unique<PrefetchQueue<Batch>>(
        PrefetchQueue<Batch>::Budget{static_cast<size_t>(options_.prefetch),
                                     options_.prefetch_bytes},
        [source = state->source.get()] { return source->Next(); }, BatchBytes);
  }
  state_ = std::move(state);
}

void Trainer::Release() { state_.reset(); }

void Trainer::Train() {
  if (!state_) throw std::runtime_error("nothing is built");
  const Batch batch = state_->Take();
  for (torch::Tensor& parameter : state_->parameters) {
    if (options_.gradients_to_none) {
      parameter.mutable_grad().reset();
    } else if (parameter.grad().defined()) {
      parameter.grad().zero_();
    }
  }
  const torch::Tensor loss =
      torch::nn::functional::cross_entropy(state_->model->forward(batch.input), batch.labels);
  loss.backward();
  state_->optimizer->step();
  last_loss_ = CheckedLoss(loss);
}

void Trainer::Evaluate() {
  if (!state_) throw std::runtime_error("nothing is built");
  const torch::NoGradGuard no_gradients;
  state_->model->eval();
  const Batch batch = state_->Take();
  last_loss_ = CheckedLoss(
      torch::nn::functional::cross_entropy(state_->model->forward(batch.input), batch.labels));
  state_->model->train();
}

void Trainer::Export(const std::string& path) {
  if (!state_) throw std::runtime_error("nothing is built");
  WriteModuleWeights(*state_->model, path);
}

void Trainer::Save(const std::string& path) {
  if (!state_) throw std::runtime_error("nothing is built");
  torch::serialize::OutputArchive archive, optimizer;
  state_->model->save(archive);
  state_->optimizer->save(optimizer);
  archive.write("optimizer", optimizer);
  archive.save_to(path);
}

void Trainer::Load(const std::string& path) {
  if (!state_) throw std::runtime_error("nothing is built");
  torch::serialize::InputArchive archive, optimizer;
  archive.load_from(path);
  state_->model->load(archive);
  archive.read("optimizer", optimizer);
  state_->optimizer->load(optimizer);
}

}  // namespace plimsoll
