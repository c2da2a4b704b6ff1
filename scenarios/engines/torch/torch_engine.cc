#include "scenarios/engines/torch/torch_engine.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "scenarios/engines/tensor_allocator.h"
#include "scenarios/engines/torch/options.h"
#include "scenarios/engines/torch/trainer.h"
#include "scenarios/engines/weights.h"

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
  TorchEngine(const TorchOptions& options, TensorAllocator* allocator,
              const std::optional<WeightsChoice>& weights)
      : trainer_(options, allocator->resource(), weights),
        read_only_(weights && weights->options.mode != weights::Mode::kPrivate
                       ? weights::ModeName(weights->options.mode)
                       : nullptr),
        allocator_(allocator),
        print_loss_(options.print_loss),
        checkpoint_(CheckpointPath()) {}

  ~TorchEngine() override { unlink(checkpoint_.c_str()); }

  Expected<Run> Prepare(const Step& step) override {
    if (step.name == "export") return PrepareExport(step);
    FieldReader reader(step, "count");
    const bool counted = step.name == "train" || step.name == "evaluate";
    const int64_t count = counted ? reader.Integer("count", 1, 1, kMostRepeats) : 1;
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    const bool writes = step.name == "train" || step.name == "load";
    if (writes && read_only_ != nullptr) {
      return BadValue(step.where, "weights.loader", read_only_,
                      "expected private: this step writes weights, which others share");
    }
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
                    "expected one of build, train, evaluate, save, load, export, release");
  }

  std::vector<EngineFinding> Findings() const override { return trainer_.Findings(); }

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
  Expected<Run> PrepareExport(const Step& step) {
    FieldReader reader(step, "file");
    const std::string path = reader.Text("file", "");
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    if (!path.ends_with(".safetensors") && !path.ends_with(".blob.json")) {
      return BadValue(step.where, "file", path,
                      "expected a name that ends in .safetensors or .blob.json");
    }
    return Run([this, path] { trainer_.Export(path); });
  }

  Trainer trainer_;
  const char* read_only_;  // the loader's mode when weights must not be written
  TensorAllocator* allocator_;
  bool print_loss_;
  std::string checkpoint_;
};

}  // namespace

Expected<std::unique_ptr<Engine>> MakeTorchEngine(const EngineConfig& config) {
  const Expected<TorchOptions> options = ParseTorchOptions(config);
  if (!options) return tl::unexpected(options.error());
  const Expected<std::optional<WeightsChoice>> weights = ReadWeightsChoice(config);
  if (!weights) return tl::unexpected(weights.error());
  auto allocator = MakeTensorAllocator(config, options->arena);
  if (!allocator) return tl::unexpected(allocator.error());
  // Never destroyed: libtorch's statics may hold tensors until the process exits.
  static TensorAllocator* installed = nullptr;
  installed = allocator->release();
  return std::make_unique<TorchEngine>(*options, installed, *weights);
}

}  // namespace plimsoll
