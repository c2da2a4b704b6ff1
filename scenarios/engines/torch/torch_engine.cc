#include "scenarios/engines/torch/torch_engine.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "scenarios/engines/tensor_allocator.h"
#include "scenarios/engines/torch/options.h"
#include "scenarios/engines/torch/trainer.h"

namespace plimsoll {
namespace {

using Run = std::function<void()>;

constexpr int64_t kMostRepeats = 1'000'000;

std::string CheckpointPath() {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder == nullptr || *folder == '\0' ? "/tmp" : folder) +
         "/plimsoll-checkpoint-" + std::to_string(getpid()) + ".pt";
}

class TorchEngine : public Engine {
 public:
  TorchEngine(const TorchOptions& options, TensorAllocator* allocator)
      : trainer_(options, allocator->resource()),
        allocator_(allocator),
        print_loss_(options.print_loss),
        checkpoint_(CheckpointPath()) {}

  ~TorchEngine() override { unlink(checkpoint_.c_str()); }

  Expected<Run> Prepare(const Step& step) override {
    FieldReader reader(step, "count");
    const bool counted = step.name == "train" || step.name == "evaluate";
    const int64_t count = counted ? reader.Integer("count", 1, 1, kMostRepeats) : 1;
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    if (step.name == "build") return Run([this] { trainer_.Build(); });
    if (step.name == "release") return Run([this] { trainer_.Release(); });
    if (step.name == "train") {
      return Run([this, count] {
        for (int64_t i = 0; i < count; ++i) trainer_.Train();
      });
    }
    if (step.name == "evaluate") {
      return Run([this, count] {
        for (int64_t i = 0; i < count; ++i) trainer_.Evaluate();
      });
    }
    if (step.name == "save") return Run([this] { trainer_.Save(checkpoint_); });
    if (step.name == "load") return Run([this] { trainer_.Load(checkpoint_); });
    return BadValue(step.where, "", step.name,
                    "expected one of build, train, evaluate, save, load, release");
  }

  void BeginIteration() override { allocator_->BeginStep(); }
  void EndIteration() override { allocator_->EndStep(); }

  void Finish() override {
    if (!print_loss_) return;
    std::printf("loss %.17g\n", trainer_.last_loss());
    if (const std::string report = allocator_->Report(); !report.empty()) {
      std::printf("%s\n", report.c_str());
    }
  }

 private:
  Trainer trainer_;
  TensorAllocator* allocator_;
  bool print_loss_;
  std::string checkpoint_;
};

}  // namespace

Expected<std::unique_ptr<Engine>> MakeTorchEngine(const EngineConfig& config) {
  const Expected<TorchOptions> options = ParseTorchOptions(config);
  if (!options) return tl::unexpected(options.error());
  auto allocator = MakeTensorAllocator(config, options->arena);
  if (!allocator) return tl::unexpected(allocator.error());
  // Never destroyed: libtorch's statics may hold tensors until the process exits.
  static TensorAllocator* installed = nullptr;
  installed = allocator->release();
  return std::make_unique<TorchEngine>(*options, installed);
}

}  // namespace plimsoll
