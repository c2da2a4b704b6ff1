#include "scenarios/engines/reference/reference_engine.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scenarios/engines/reference/compiled_network.h"
#include "scenarios/engines/reference/cyclic_allocator.h"
#include "scenarios/engines/reference/leak.h"
#include "scenarios/engines/reference/mini_options.h"
#include "scenarios/engines/reference/trainable_network.h"
#include "scenarios/engines/tensor_allocator.h"

namespace plimsoll {
namespace {

using Run = std::function<void()>;

constexpr int64_t kMostRepeats = 1'000'000;
constexpr uint64_t kMostBytes = uint64_t{1} << 40;

// Memory that the process holds besides, so that a leak is small beside it.
class Ballast {
 public:
  void Hold(uint64_t bytes) {
    constexpr uint64_t kBlock = uint64_t{1} << 20;
    for (uint64_t held = 0; held < bytes; held += kBlock) {
      const auto size = static_cast<size_t>(std::min(kBlock, bytes - held));
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      // Not zero, so that no kernel feature can fold the pages into one.
      std::memset(blocks_.back().get(), 0x5a, size);
    }
  }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
};

class ReferenceEngine : public Engine {
 public:
  ReferenceEngine(const MiniOptions& options, std::unique_ptr<TensorAllocator> allocator,
                  bool print_loss, std::span<const Pattern> patterns)
      : options_(options),
        allocator_(std::move(allocator)),
        print_loss_(print_loss),
        patterns_(patterns) {}

  Expected<Run> Prepare(const Step& step) override {
    if (step.name == "ballast") return PrepareBallast(step);
    if (step.name == "leak") return PrepareLeak(step);
    if (step.name == "pattern") return PreparePattern(step);
    FieldReader reader(step, "count");
    const bool counted = step.name == "infer" || step.name == "train";
    const int64_t count = counted ? reader.Integer("count", 1, 1, kMostRepeats) : 1;
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    if (step.name == "compile") return Run([this] { compiled_.emplace(options_, resource()); });
    if (step.name == "build") return Run([this] { trained_.emplace(options_, resource()); });
    if (step.name == "release") return Run([this] { Release(); });
    if (step.name == "infer") {
      return Run([this, count] {
        for (int64_t i = 0; i < count; ++i) Infer();
      });
    }
    if (step.name == "train") {
      return Run([this, count] {
        for (int64_t i = 0; i < count; ++i) Train();
      });
    }
    return BadValue(step.where, "", step.name,
                    "expected one of compile, infer, build, train, release, ballast, leak, "
                    "pattern");
  }

  void BeginIteration() override { allocator_->BeginStep(); }
  void EndIteration() override { allocator_->EndStep(); }

  void Finish() override {
    if (!print_loss_) return;
    std::printf("loss %.17g\n", last_loss_);
    if (const std::string report = allocator_->Report(); !report.empty()) {
      std::printf("%s\n", report.c_str());
    }
  }

 private:
  Expected<Run> PrepareBallast(const Step& step) {
    FieldReader reader(step, "bytes");
    const uint64_t bytes = reader.Bytes("bytes", 0, 0, kMostBytes);
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    return Run([this, bytes] { ballast_.Hold(bytes); });
  }

  Expected<Run> PrepareLeak(const Step& step) {
    FieldReader reader(step, "bytes");
    const auto bytes = static_cast<size_t>(reader.Bytes("bytes", 64, 1, kMostBytes));
    const int64_t every = reader.Integer("every", 1, 1, kMostRepeats);
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    runs_.push_back(std::make_unique<ReachableLeak>(bytes, every));
    return Run([run = runs_.back().get()] { run->Iterate(); });
  }

  Expected<Run> PreparePattern(const Step& step) {
    FieldReader reader(step, "name");
    const std::string name = reader.Text("name", "");
    const int64_t seed = reader.Integer("seed", 1, 0, INT64_MAX);
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    const auto found = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&name](const Pattern& p) { return p.name == name; });
    if (found == patterns_.end()) {
      std::string names;
      for (const Pattern& p : patterns_) names += (names.empty() ? "" : ", ") + std::string(p.name);
      return BadValue(step.where, "name", name, "expected one of " + names);
    }
    runs_.push_back(found->make(static_cast<uint64_t>(seed)));
    return Run([run = runs_.back().get()] { run->Iterate(); });
  }

  std::pmr::memory_resource* resource() {
    std::pmr::memory_resource* const resource = allocator_->resource();
    return resource != nullptr ? resource : std::pmr::new_delete_resource();
  }

  std::pmr::memory_resource* step_resource() {
    std::pmr::memory_resource* const step = allocator_->step_resource();
    return step != nullptr ? step : std::pmr::new_delete_resource();
  }

  void Infer() {
    if (!compiled_) throw std::runtime_error("nothing is compiled");
    const double output = compiled_->Infer(step_resource());
    if (!expected_output_) expected_output_ = output;
    if (output != *expected_output_) throw std::runtime_error("the output differs");
  }

  void Train() {
    if (!trained_) throw std::runtime_error("nothing is built");
    last_loss_ = trained_->Train(step_resource());
    if (!std::isfinite(last_loss_)) throw std::runtime_error("the loss is not finite");
  }

  void Release() {
    compiled_.reset();
    trained_.reset();
  }

  MiniOptions options_;
  std::unique_ptr<TensorAllocator> allocator_;  // before what lives in it
  bool print_loss_;
  std::span<const Pattern> patterns_;
  Ballast ballast_;
  std::vector<std::unique_ptr<PatternRun>> runs_;
  std::optional<CompiledNetwork> compiled_;
  std::optional<TrainableNetwork> trained_;
  std::optional<double> expected_output_;
  double last_loss_ = 0;
};

}  // namespace

Expected<std::unique_ptr<Engine>> MakeReferenceEngine(const EngineConfig& config,
                                                      std::span<const Pattern> patterns) {
  FieldReader knobs(config.knobs, config.path + ": knobs");
  MiniOptions options;
  options.batch = knobs.Integer("batch", options.batch, 1, 4096);
  options.features = knobs.Integer("features", options.features, 1, 8192);
  options.width = knobs.Integer("width", options.width, 1, 8192);
  options.depth = knobs.Integer("depth", options.depth, 1, 256);
  options.classes = knobs.Integer("classes", options.classes, 2, 100'000);
  options.learning_rate = knobs.Number("learning_rate", options.learning_rate, 0.0, 100.0);
  options.seed = static_cast<uint64_t>(knobs.Integer("seed", 1, 0, INT64_MAX));
  const bool print_loss = knobs.Flag("print_loss", false);
  const ArenaOptions arena = ReadArenaOptions(knobs);
  const CyclicOptions cyclic = ReadCyclicOptions(knobs);
  if (Status status = knobs.Finish(); !status) return tl::unexpected(status.error());
  auto allocator = IsCyclicAllocator(config.allocator) ? MakeCyclicAllocator(config, cyclic)
                                                       : MakeTensorAllocator(config, arena);
  if (!allocator) return tl::unexpected(allocator.error());
  if (!config.models.empty()) {
    return BadValue(config.path, "model", config.models[0],
                    "expected none: the knobs shape the network");
  }
  return std::make_unique<ReferenceEngine>(options, std::move(*allocator), print_loss, patterns);
}

}  // namespace plimsoll
